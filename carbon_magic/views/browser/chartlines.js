// @ts-check
/*
 * The power chart's areas and edges as bqplot's lines: an area for each domain from the steadiest upwards, with its edge,
 * solid, dashed or dotted by how the domain is known. A bqplot line has one style: the areas' own edges have that of the
 * first, and what is known in another way gets its edge from a mark over them. Nothing is set that stayed as it was,
 * because a mark draws itself anew, all of its paths, for whatever it is given.
 */
import { STACK, whole } from './chartrows.js';

/** @typedef {import('./types.js').Provenance} Provenance */
/** @typedef {import('./types.js').State} State */
/**
 * @typedef {{set: (values: Record<string, any>) => void}} Part A model of bqplot's, changed here and never saved.
 * @typedef {Record<'area' | Provenance | 'x' | 'y' | 'xAxis' | 'yAxis', Part>} Figure
 */

/** @type {Record<Provenance, string>} */
const STYLES = { measured: 'solid', modelled: 'dashed', assumed: 'dotted' };
const KINDS = /** @type {Provenance[]} */ (Object.keys(STYLES));

/**
 * @param {Figure} figure
 * @returns {(state: State, rows: readonly number[][], seconds: number) => void} Draws rows that lie evenly over a time.
 */
export function makeLines(figure) {
  /** @type {Set<Provenance>} */
  const used = new Set();
  let places = { x: new Float32Array(0), seconds: 0, steps: 0 };

  /**
   * The same array as long as it is the same: to compare two costs something.
   * @param {number} length
   * @param {number} seconds
   * @param {number} steps
   */
  const placesOf = (length, seconds, steps) => {
    if (places.x.length !== length || places.seconds !== seconds || places.steps !== steps)
      places = { x: Float32Array.from({ length }, (_, index) => (index / steps - 1) * seconds), seconds, steps };
    return places.x;
  };

  return ({ totals }, rows, seconds) => {
    const stack = STACK.filter(([domain, place]) => totals?.domains[domain] || rows.some((row) => row[place - 1] >= 0));
    const lines = [rows.map((row) => (whole(row) >= 0 ? 0 : NaN))];
    for (const [, place] of stack) {
      const below = lines[lines.length - 1];
      lines.push(below.map((sum, index) => (Number.isNaN(sum) ? NaN : sum + (rows[index][place - 1] || 0))));
    }
    // bqplot puts a label at a line's last point, which must be one, and draws no line without any.
    let length = rows.length;
    while (length > 0 && Number.isNaN(lines[0][length - 1])) length -= 1;
    const x = placesOf(Math.max(length, 1), seconds, rows.length - 1);
    const typed = lines.map((line) => Float32Array.from(length ? line.slice(0, length) : [0]));
    const known = stack.map(([domain]) => totals?.domains[domain]?.provenance ?? 'measured');
    const colors = stack.map(([, , color]) => color);
    const own = known[0] ?? 'measured';
    // The fill of a line lies between it and the next one.
    figure.area.set({
      x,
      y: typed,
      line_style: STYLES[own],
      colors: ['transparent', ...colors.map((color, index) => (known[index] === own ? color : 'transparent'))],
      fill_colors: [...colors, 'transparent'],
    });
    for (const wanted of KINDS) {
      const chosen = known.flatMap((kind, index) => (kind === wanted && kind !== own ? [index] : []));
      if (chosen.length) {
        used.add(wanted);
        const y = chosen.map((index) => typed[index + 1]);
        figure[wanted].set({ x, y, colors: chosen.map((index) => colors[index]) });
      } else if (used.delete(wanted)) {
        figure[wanted].set({ x, y: [Float32Array.from(x, () => 0)], colors: ['transparent'] });
      }
    }
  };
}
