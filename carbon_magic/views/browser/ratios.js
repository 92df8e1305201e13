// @ts-check
/*
 * The same energy on another grid: how many times as much, with range, and whether that is clear. The energy is common
 * to both sides and cancels, so rows are ranked, and said to overlap, by intensity and PUE alone. Pure arithmetic.
 */
import { byName, distanceKm } from './table.js';

/** @typedef {import('./types.js').Range} Range */
/** @typedef {import('./table.js').Row} Row */
/**
 * Grams for each kWh at the chips.
 * @typedef {object} Here
 * @property {Row} row
 * @property {Range} grams Intensity times PUE.
 * @property {boolean} known False where the region is unknown: then it is the world's mean.
 */
/**
 * @typedef {object} Compared
 * @property {Row} row
 * @property {Range} grams Intensity times PUE, for each kWh.
 * @property {number | null} ratio Null where there is nothing to compare with.
 * @property {Range | null} whisker Its own range in times of here's best.
 * @property {boolean} overlaps Whether its range meets that of here.
 */
/**
 * @typedef {object} Filters
 * @property {string} continent
 * @property {string} provider
 * @property {boolean} eu
 * @property {boolean} near
 */
/** @typedef {'name' | 'intensity' | 'mass' | 'ratio'} SortKey */
/** @typedef {{key: SortKey, down: boolean}} Sorting */

const NEAR_KM = 1000;
export const JOULES_PER_KWH = 3.6e6;

/**
 * @param {Row} row
 * @returns {Range}
 */
export function gramsPerKwh(row) {
  const [low, best, high] = row.intensity;
  return [low * row.pue, best * row.pue, high * row.pue];
}

/**
 * @param {Row} row
 * @param {Here | null} here
 * @returns {Compared}
 */
export function compared(row, here) {
  const grams = gramsPerKwh(row);
  if (!here || !(here.grams[1] > 0)) return { row, grams, ratio: null, whisker: null, overlaps: false };
  const [low, best, high] = grams;
  const base = here.grams[1];
  const overlaps = high >= here.grams[0] && low <= here.grams[2];
  return { row, grams, ratio: best / base, whisker: [low / base, best / base, high / base], overlaps };
}

/**
 * The ratio's own range: both sides' ranges, independent, in quadrature of their logarithms.
 * @param {Compared} other
 * @param {Here} here
 * @returns {Range}
 */
export function ratioRange(other, here) {
  const best = other.grams[1] / here.grams[1];
  const wide = (/** @type {number} */ a, /** @type {number} */ b) => Math.hypot(Math.log(a), Math.log(b));
  const [low, middle, high] = other.grams;
  const [hereLow, hereBest, hereHigh] = here.grams;
  if (!(low > 0) || !(hereLow > 0)) return [low / hereHigh, best, hereLow > 0 ? high / hereLow : Infinity];
  return [
    best * Math.exp(-wide(middle / low, hereHigh / hereBest)),
    best,
    best * Math.exp(wide(high / middle, hereBest / hereLow)),
  ];
}

/**
 * @param {Compared[]} list
 * @param {Sorting} sorting
 * @returns {Compared[]}
 */
export function sorted(list, { key, down }) {
  const valueOf = (/** @type {Compared} */ item) => (key === 'intensity' ? item.row.intensity[1] : item.grams[1]);
  const sign = down ? -1 : 1;
  return [...list].sort((a, b) => {
    const order = key === 'name' ? byName(a.row, b.row) : valueOf(a) - valueOf(b);
    return sign * order || byName(a.row, b.row);
  });
}

/**
 * The row that emits least of those listed; of equals the first by name.
 * @param {Compared[]} list
 * @returns {Compared | null}
 */
export function lowest(list) {
  return sorted(list, { key: 'ratio', down: false })[0] ?? null;
}

/**
 * @param {Filters} filters
 * @returns {boolean}
 */
export function anyFilter({ continent, provider, eu, near }) {
  return Boolean(continent || provider || eu || near);
}

/**
 * @param {Iterable<Row>} rows
 * @param {Filters} filters
 * @param {Row | null} here
 * @returns {Row[]}
 */
export function filtered(rows, filters, here) {
  return [...rows].filter((row) => {
    if (row.kind === 'world') return false;
    if (filters.continent && row.continent !== filters.continent) return false;
    if (filters.provider && row.provider !== filters.provider) return false;
    if (filters.eu && !row.eu) return false;
    if (!filters.near) return true;
    const distance = here && distanceKm(here, row);
    return distance !== null && distance <= NEAR_KM;
  });
}
