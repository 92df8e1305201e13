// @ts-check
/*
 * The live power chart over bqplot's figure: it fills the figure's lines from the same state as the other views, sets
 * its scales and axes, and lays over it what bqplot has no mark for: bands of cells with their numbers, gaps and a
 * cursor. All of it in the browser, so that changing the span needs no kernel.
 */
import { drawTable, makeLegend } from './chartlegend.js';
import { evenly, gapsOf, GAP_S, mean, POINTS, STACK, timeTicks, topOf, wattTicks, whole } from './chartrows.js';
import { attr, button, el, icon, keyed, setStyle, setText, show, watch } from './dom.js';
import { prompt } from './faces.js';
import { formats } from './format.js';

/** @typedef {import('./types.js').Cell} Cell */
/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').Provenance} Provenance */
/** @typedef {import('./types.js').State} State */

/**
 * @typedef {{set: (values: Record<string, any>) => void}} Part A model of bqplot's, changed here and never saved.
 * @typedef {Record<'area' | Provenance | 'x' | 'y' | 'xAxis' | 'yAxis', Part>} Figure
 * @typedef {{key: string, label: string, seconds: number | null}} Span
 */

/** @type {Span[]} */
const SPANS = [
  { key: '1m', label: '1 min', seconds: 60 },
  { key: '5m', label: '5 min', seconds: 300 },
  { key: '1h', label: '1 h', seconds: 3600 },
  { key: 'all', label: 'All', seconds: null },
];
const FALLS_AFTER_MS = 30_000;
const RENEW_SENTENCE_MS = 10_000;
const MOST_BANDS = 100;
const LABEL_PX = 24;
const LETTER_PX = 7;

/**
 * @param {HTMLElement} root Lies over the figure.
 * @param {Host} host
 * @param {Figure} figure
 * @returns {() => void}
 */
export function mountChart(root, host, figure) {
  const say = host.say.bind(host);
  const format = formats(host.locale);
  const plot = el('div', { class: 'cbm-Chart-plot', role: 'img', tabindex: 0 });
  const bands = el('div', { class: 'cbm-Chart-bands', 'aria-hidden': 'true' });
  const waiting = el('p', { class: 'cbm-Chart-waiting cbm-empty cbm-small' }, say('One point a second, from now'));
  const cursor = el('div', { class: 'cbm-Chart-cursor', hidden: true });
  plot.append(bands, waiting, cursor);
  const legend = makeLegend(host);
  const choice = el('div', { class: 'cbm-Chart-spans', role: 'group', 'aria-label': say('Time shown') });
  const table = el('table', { class: 'cbm-Chart-table cbm-small', hidden: true });
  let span = SPANS.find((one) => one.key === host.recall('span')) ?? SPANS[1];
  const choices = SPANS.map((one) =>
    button(
      say(one.label),
      () => {
        span = one;
        host.remember('span', one.key);
        top = 0;
        at = null;
        spokenAt = 0;
        draw();
      },
      'cbm-Chart-span',
    ),
  );
  const asTable = button(
    '',
    () => {
      if (table.hidden) drawTable(table, host, shown());
      else show(table, false);
      attr(asTable, 'aria-pressed', String(!table.hidden));
    },
    'cbm-iconButton cbm-Chart-asTable',
  );
  asTable.append(icon('table'));
  attr(asTable, 'title', say('Show as table'));
  attr(asTable, 'aria-label', say('Show as table'));
  attr(asTable, 'aria-pressed', 'false');
  legend.line.append(asTable);
  choice.append(...choices);
  root.append(plot, legend.element, table, choice);

  let top = 0;
  let lowSince = 0;
  let spokenAt = 0;
  /** @type {number[][]} */
  let rows = [];
  /** @type {[number, number][]} */
  let gaps = [];
  let now = 0;
  let seconds = 300;
  /** @type {number | null} */
  let at = null;
  const shown = () => ({
    rows,
    gaps,
    now,
    seconds,
    at,
    span: span.seconds === null ? say('session') : say(span.label),
  });

  function draw() {
    const state = host.state();
    const { samples, totals } = state;
    const last = samples.length ? samples[samples.length - 1][0] : 0;
    now = (totals?.now ?? 0) - last > GAP_S ? (totals?.now ?? 0) : last;
    seconds = span.seconds ?? Math.max(60, samples.length ? now - samples[0][0] : 60);
    rows = evenly(samples, now, seconds);
    gaps = gapsOf(rows);
    const sums = rows.map(whole);
    drawMarks(state);
    drawScales(Math.max(0, ...sums.filter((sum) => sum >= 0)));
    drawBands(state);
    show(waiting, samples.length < 2);
    legend.draw(shown());
    drawCursor();
    choices.forEach((one, index) => attr(one, 'aria-pressed', String(SPANS[index] === span)));
    if (!table.hidden) drawTable(table, host, shown());
    if (Date.now() - spokenAt > RENEW_SENTENCE_MS) {
      spokenAt = Date.now();
      attr(plot, 'aria-label', sentence(sums));
    }
    // In a section, the choice belongs to its heading, beside what opens and closes it.
    const heading = root.closest('.cbm-Section')?.querySelector('h3');
    if (heading && choice.parentElement !== heading) heading.append(choice);
  }

  /** @param {State} state */
  function drawMarks({ totals }) {
    const stack = STACK.filter(([domain, place]) => totals?.domains[domain] || rows.some((row) => row[place - 1] >= 0));
    const lines = [rows.map((row) => (whole(row) >= 0 ? 0 : NaN))];
    for (const [, place] of stack) {
      const below = lines[lines.length - 1];
      lines.push(below.map((sum, index) => (Number.isNaN(sum) ? NaN : sum + (rows[index][place - 1] || 0))));
    }
    // bqplot puts a label at a line's last point, which must be one, and draws no line without any.
    let length = rows.length;
    while (length > 0 && Number.isNaN(lines[0][length - 1])) length -= 1;
    const x = Float32Array.from({ length: Math.max(length, 1) }, (_, index) => (index / POINTS - 1) * seconds);
    const colors = stack.map(([, , color]) => color);
    const typed = lines.map((line) => Float32Array.from(length ? line.slice(0, length) : [0]));
    // The fill of a line lies between it and the next one.
    figure.area.set({ x, y: typed, colors: typed.map(() => 'transparent'), fill_colors: [...colors, 'transparent'] });
    for (const wanted of /** @type {Provenance[]} */ (['measured', 'modelled', 'assumed'])) {
      const chosen = stack
        .map((_, index) => index)
        .filter((index) => (totals?.domains[stack[index][0]]?.provenance ?? 'measured') === wanted);
      const y = chosen.length ? chosen.map((index) => typed[index + 1]) : [Float32Array.from(x, () => 0)];
      figure[wanted].set({ x, y, colors: chosen.length ? chosen.map((index) => colors[index]) : ['transparent'] });
    }
  }

  /** @param {number} highest */
  function drawScales(highest) {
    const wanted = topOf(highest);
    if (wanted > top / 2) lowSince = Date.now();
    if (wanted > top || Date.now() - lowSince > FALLS_AFTER_MS) top = wanted;
    figure.x.set({ min: -seconds, max: 0 });
    figure.y.set({ min: 0, max: top });
    for (const [axis, ticks] of /** @type {[Part, [number, string][]][]} */ ([
      [figure.yAxis, wattTicks(top, host)],
      [figure.xAxis, timeTicks(seconds, host)],
    ])) {
      axis.set({ tick_labels: Object.fromEntries(ticks), tick_values: Float64Array.from(ticks, ([value]) => value) });
    }
  }

  /** @param {State} state */
  function drawBands(state) {
    const width = plot.clientWidth || 1;
    const from = now - seconds;
    const cells = [...state.cells.values(), ...state.running]
      .filter((cell) => endOf(cell) > from && cell.started_at < now)
      .slice(-MOST_BANDS);
    const marks = [
      ...cells.map((cell) => ({
        key: cell.record_id,
        name: cell.status === 'running' ? 'cbm-Chart-band cbm-mod-running' : 'cbm-Chart-band',
        words: prompt(cell.execution_count),
        left: Math.max(0, (cell.started_at - from) / seconds),
        right: Math.min(1, (endOf(cell) - from) / seconds),
      })),
      ...gaps.slice(-MOST_BANDS).map(([first, last]) => ({
        key: `gap-${Math.round(now - (1 - first / POINTS) * seconds)}`,
        name: 'cbm-Chart-gap',
        words: '',
        left: (first - 1) / POINTS,
        right: (last + 1) / POINTS,
      })),
    ];
    keyed(
      bands,
      marks,
      (mark) => mark.key,
      () => el('div'),
      (node, { name, words, left, right }) => {
        attr(node, 'class', name);
        const room = (right - left) * width;
        setText(node, room >= Math.max(LABEL_PX, LETTER_PX * (words.length + 1)) ? words : '');
        setStyle(node, 'left', `${Math.round(10_000 * left) / 100}%`);
        setStyle(node, 'width', `${Math.round(10_000 * (right - left)) / 100}%`);
      },
    );
  }

  /**
   * @param {Cell} cell
   * @returns {number}
   */
  const endOf = (cell) => (cell.status === 'running' ? now : cell.started_at + cell.duration_s);

  function drawCursor() {
    show(cursor, at !== null);
    if (at !== null) setStyle(cursor, 'left', `${(100 * at) / POINTS}%`);
  }

  /** @param {number[]} sums */
  function sentence(sums) {
    const known = sums.filter((sum) => sum >= 0);
    if (!known.length) return say('Power: no samples yet');
    const last = sums[sums.length - 1];
    return say(
      'Power, last %1, stacked: memory, CPU, GPU. Now %2. Mean %3, highest %4.',
      format.duration(seconds),
      last >= 0 ? format.power(last) : say('not known'),
      format.power(mean(known)),
      format.power(Math.max(...known)),
    );
  }

  /** @param {number | null} to */
  const point = (to) => {
    at = to === null ? null : Math.min(POINTS, Math.max(0, Math.round(to)));
    legend.draw(shown());
    drawCursor();
  };
  plot.addEventListener('pointermove', (event) => {
    const box = plot.getBoundingClientRect();
    point((POINTS * (event.clientX - box.left)) / (box.width || 1));
  });
  plot.addEventListener('pointerleave', () => point(null));
  plot.addEventListener('blur', () => point(null));
  plot.addEventListener('keydown', (event) => {
    const step = event.shiftKey ? 10 : 1;
    const here = at ?? POINTS;
    /** @type {Record<string, number>} */
    const goals = { ArrowLeft: here - step, ArrowRight: here + step, Home: 0, End: POINTS };
    if (!(event.key in goals)) return;
    event.preventDefault();
    // JupyterLab and notebooks have commands of their own on these keys.
    event.stopPropagation();
    point(goals[event.key]);
  });
  const end = watch(root, host, draw);
  return () => {
    end();
    choice.remove();
    root.replaceChildren();
  };
}
