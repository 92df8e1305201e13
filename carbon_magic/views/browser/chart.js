// @ts-check
/*
 * The live power chart over bqplot's figure: it fills the figure's lines from the same state as the other views, sets
 * its scales and axes, and lays over it what bqplot has no mark for: bands of cells with their numbers, gaps, a cursor
 * and its readout. All of it in the browser, so that changing the span needs no kernel.
 */
import { attr, button, el, setText, watch } from './dom.js';
import { clock, prompt } from './faces.js';
import { formats, NBSP } from './format.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').Sample} Sample */
/** @typedef {import('./types.js').State} State */

/**
 * @typedef {{set: (values: Record<string, any>) => void}} Part A model of bqplot's, changed here and never saved.
 * @typedef {{area: Part, solid: Part, dashed: Part, x: Part, y: Part, xAxis: Part, yAxis: Part}} Figure
 * @typedef {{key: string, label: string, seconds: number | null}} Span
 */

/** From the bottom: the steadiest first. The number is its place in a sample. */
/** @type {[import('./types.js').Domain, number, string, string][]} */
const STACK = [
  ['dram', 3, 'Memory', 'var(--cbm-dram, #1899a6)'],
  ['cpu', 1, 'CPU', 'var(--cbm-cpu, #1557a8)'],
  ['gpu', 2, 'GPU', 'var(--cbm-gpu, #d95f02)'],
];
/** @type {Span[]} */
const SPANS = [
  { key: '1m', label: '1 min', seconds: 60 },
  { key: '5m', label: '5 min', seconds: 300 },
  { key: '1h', label: '1 h', seconds: 3600 },
  { key: 'all', label: 'All', seconds: null },
];
const POINTS = 300;
/** At rest a reading comes every 10 s; what is farther apart is a gap. */
const GAP_S = 12;
const LEAST_TOP_W = 5;
const FALLS_AFTER_MS = 30_000;
const RENEW_SENTENCE_MS = 10_000;
const MOST_BANDS = 100;
const LABEL_PX = 24;
const TABLE_ROWS = 20;

/**
 * Watts at even steps up to `now`: rows of CPU, GPU and memory, NaN where nothing is known.
 * @param {readonly Sample[]} samples
 * @param {number} now
 * @param {number} span
 * @returns {number[][]}
 */
export function evenly(samples, now, span) {
  const step = span / POINTS;
  const rows = [];
  let at = 0;
  for (let index = 0; index <= POINTS; index += 1) {
    const from = now - span + (index - 1) * step;
    const to = from + step;
    while (at < samples.length && samples[at][0] <= from) at += 1;
    let end = at;
    while (end < samples.length && samples[end][0] <= to + 1e-6) end += 1;
    rows.push(end > at ? meanOf(samples.slice(at, end)) : bridged(samples, at, from));
  }
  return rows;
}

/**
 * @param {readonly Sample[]} samples
 * @returns {number[]}
 */
function meanOf(samples) {
  return [1, 2, 3].map((column) => {
    const known = samples.map((sample) => sample[column]).filter((watts) => watts !== null);
    return known.length ? known.reduce((a, b) => a + b, 0) / known.length : NaN;
  });
}

/**
 * Between two samples: a sample is the mean of the time before it.
 * @param {readonly Sample[]} samples
 * @param {number} next
 * @param {number} time
 * @returns {number[]}
 */
function bridged(samples, next, time) {
  const sample = samples[next];
  const before = samples[next - 1];
  if (!sample || !before || sample[0] - before[0] > GAP_S || sample[0] <= time) return [NaN, NaN, NaN];
  return sample.slice(1).map((watts) => watts ?? NaN);
}

/**
 * The top of the scale: the next of 1, 2, 5 times a power of ten.
 * @param {number} highest
 * @returns {number}
 */
export function topOf(highest) {
  if (!(highest > LEAST_TOP_W)) return LEAST_TOP_W;
  const ten = 10 ** Math.floor(Math.log10(highest));
  return [1, 2, 5, 10].map((digit) => digit * ten).find((top) => top >= highest) ?? highest;
}

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
  const cursor = el('div', { class: 'cbm-Chart-cursor', hidden: true });
  plot.append(bands, cursor);
  const readout = el('div', { class: 'cbm-Chart-readout cbm-small' });
  const choice = el('div', { class: 'cbm-Chart-spans', role: 'group', 'aria-label': say('Time shown') });
  const table = el('table', { class: 'cbm-Chart-table cbm-small', hidden: true });
  let span = SPANS.find((one) => one.key === host.recall('span')) ?? SPANS[1];
  const choices = SPANS.map((one) =>
    button(say(one.label), () => {
      span = one;
      host.remember('span', one.key);
      top = 0;
      draw();
    }),
  );
  const asTable = button(say('Show as table'), () => {
    table.hidden = !table.hidden;
    attr(asTable, 'aria-expanded', String(!table.hidden));
    draw();
  });
  attr(asTable, 'aria-expanded', 'false');
  choice.append(...choices, asTable);
  root.append(choice, plot, readout, table);

  let top = 0;
  let lowSince = 0;
  let spokenAt = 0;
  /** @type {number[][]} */
  let rows = [];
  let now = 0;
  let seconds = 300;
  /** @type {number | null} */
  let at = null;

  function draw() {
    const state = host.state();
    const { samples, totals } = state;
    const last = samples.length ? samples[samples.length - 1][0] : 0;
    now = (totals?.now ?? 0) - last > GAP_S ? (totals?.now ?? 0) : last;
    seconds = span.seconds ?? Math.max(60, samples.length ? now - samples[0][0] : 60);
    rows = evenly(samples, now, seconds);
    const stack = STACK.filter(([domain, place]) => totals?.domains[domain] || rows.some((row) => row[place - 1] >= 0));
    const lines = [rows.map((row) => (row.some((watts) => watts >= 0) ? 0 : NaN))];
    for (const [, place] of stack) {
      const below = lines[lines.length - 1];
      lines.push(below.map((sum, index) => (Number.isNaN(sum) ? NaN : sum + (rows[index][place - 1] || 0))));
    }
    // bqplot puts a label at a line's last point, which must be one, and draws no line without any.
    let length = rows.length;
    while (length > 0 && Number.isNaN(lines[0][length - 1])) length -= 1;
    const x = Float32Array.from({ length: Math.max(length, 1) }, (_, index) => (index / POINTS - 1) * seconds);
    const colors = stack.map(([, , , color]) => color);
    const typed = lines.map((line) => Float32Array.from(length ? line.slice(0, length) : [0]));
    // The fill of a line lies between it and the next one.
    figure.area.set({ x, y: typed, colors: typed.map(() => 'transparent'), fill_colors: [...colors, 'transparent'] });
    const measured = (/** @type {number} */ index) => totals?.domains[stack[index][0]]?.provenance === 'measured';
    for (const [mark, wanted] of /** @type {[Part, boolean][]} */ ([[figure.solid, true], [figure.dashed, false]])) {
      const chosen = stack.map((_, index) => index).filter((index) => measured(index) === wanted);
      const y = chosen.map((index) => typed[index + 1]);
      const none = [Float32Array.from(x, () => 0)];
      mark.set({ x, y: y.length ? y : none, colors: y.length ? chosen.map((index) => colors[index]) : ['transparent'] });
    }
    scales(lines[lines.length - 1]);
    drawBands(state);
    drawReadout();
    choices.forEach((one, index) => attr(one, 'aria-pressed', String(SPANS[index] === span)));
    if (!table.hidden) drawTable();
    if (Date.now() - spokenAt > RENEW_SENTENCE_MS) {
      spokenAt = Date.now();
      attr(plot, 'aria-label', sentence(lines[lines.length - 1]));
    }
  }

  /** @param {number[]} sums */
  function scales(sums) {
    const wanted = topOf(Math.max(0, ...sums.filter((sum) => sum >= 0)));
    if (wanted > top / 2) lowSince = Date.now();
    if (wanted > top || Date.now() - lowSince > FALLS_AFTER_MS) top = wanted;
    figure.x.set({ min: -seconds, max: 0 });
    figure.y.set({ min: 0, max: top });
    const half = top / 2;
    figure.yAxis.set({
      tick_values: Float64Array.from([0, half, top]),
      tick_labels: { 0: '0', [half]: format.power(half).split(NBSP)[0], [top]: format.power(top) },
    });
    const steps = [seconds * 0.8, seconds * 0.4, 0];
    /** @type {Record<string, string>} */
    const labels = {};
    for (const ago of steps) labels[String(ago ? -ago : 0)] = ago ? `−${format.duration(ago)}` : say('now');
    figure.xAxis.set({ tick_values: Float64Array.from(steps, (ago) => (ago ? -ago : 0)), tick_labels: labels });
  }

  /** @param {State} state */
  function drawBands(state) {
    const width = plot.clientWidth || 1;
    const from = now - seconds;
    const cells = [...state.cells.values(), ...state.running].filter(
      (cell) => cell.started_at + cell.duration_s > from && cell.started_at < now,
    );
    bands.replaceChildren(
      ...cells.slice(-MOST_BANDS).map((cell) => {
        const left = Math.max(0, (cell.started_at - from) / seconds);
        const until = cell.status === 'running' ? 1 : (cell.started_at + cell.duration_s - from) / seconds;
        const part = Math.min(1, until) - left;
        const band = el('div', { class: 'cbm-Chart-band' }, part * width >= LABEL_PX ? prompt(cell.execution_count) : '');
        band.style.left = `${100 * left}%`;
        band.style.width = `${100 * part}%`;
        return band;
      }),
      ...gaps(),
    );
  }

  /** Dotted lines at both borders of each gap, with words for who points at it. */
  function gaps() {
    const marks = [];
    let start = -1;
    const first = rows.findIndex((row) => row.some((watts) => watts >= 0));
    for (let index = Math.max(first, 0); index < rows.length; index += 1) {
      const empty = rows[index].every((watts) => Number.isNaN(watts));
      if (empty && start < 0) start = index;
      if (!empty && start >= 0) {
        const gap = el('div', { class: 'cbm-Chart-gap' });
        gap.style.left = `${(100 * (start - 1)) / POINTS}%`;
        gap.style.width = `${(100 * (index - start + 1)) / POINTS}%`;
        marks.push(gap);
        start = -1;
      }
    }
    return marks.slice(-MOST_BANDS);
  }

  function drawReadout() {
    const index = at ?? rows.length - 1;
    const row = rows[index];
    if (!row) return;
    const time = now - (1 - index / POINTS) * seconds;
    const known = row.filter((watts) => watts >= 0);
    const cell = [...host.state().cells.values(), ...host.state().running].find(
      (one) => one.started_at <= time && (time <= one.started_at + one.duration_s || one.status === 'running'),
    );
    const where = cell ? `, ${say('cell %1', prompt(cell.execution_count))}` : '';
    const parts = STACK.filter(([, place]) => row[place - 1] >= 0).map(
      ([, place, name]) => `${say(name)} ${format.power(row[place - 1])}`,
    );
    const whole = known.length ? format.power(known.reduce((a, b) => a + b, 0)) : say('no samples');
    const when = at === null ? say('Now') : clock(time * 1000, host.locale, true);
    setText(readout, `${when}${where} · ${whole}${parts.length > 1 ? ` · ${parts.join(', ')}` : ''}`);
    cursor.hidden = at === null;
    if (at !== null) cursor.style.left = `${(100 * at) / POINTS}%`;
  }

  function drawTable() {
    const head = el('tr', {}, el('th', {}, say('Time')), ...STACK.map(([, , name]) => el('th', {}, say(name))));
    const step = POINTS / TABLE_ROWS;
    const body = Array.from({ length: TABLE_ROWS }, (_, index) => {
      const part = rows.slice(Math.round(index * step), Math.round((index + 1) * step));
      const time = now - (1 - (index + 1) / TABLE_ROWS) * seconds;
      const watts = STACK.map(([, place]) => {
        const known = part.map((row) => row[place - 1]).filter((value) => value >= 0);
        return el('td', {}, known.length ? format.power(known.reduce((a, b) => a + b, 0) / known.length) : '–');
      });
      return el('tr', {}, el('th', {}, clock(time * 1000, host.locale, true)), ...watts);
    });
    table.replaceChildren(el('caption', {}, say('Mean power')), head, ...body);
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
      format.power(known.reduce((a, b) => a + b, 0) / known.length),
      format.power(Math.max(...known)),
    );
  }

  /** @param {number | null} to */
  const point = (to) => {
    at = to === null ? null : Math.min(POINTS, Math.max(0, Math.round(to)));
    drawReadout();
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
    point(goals[event.key]);
  });
  const end = watch(root, host, draw);
  return () => {
    end();
    root.replaceChildren();
  };
}
