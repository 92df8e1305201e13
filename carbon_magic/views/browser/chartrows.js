// @ts-check
/*
 * The power chart's arithmetic: samples at even steps, the gaps among them, and the scales and ticks they are drawn on.
 */
import { formats, NBSP } from './format.js';

/** @typedef {import('./types.js').Domain} Domain */
/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').Sample} Sample */

/** From the bottom: the steadiest first. The number is its place in a sample. */
/** @type {[Domain, 1 | 2 | 3, string][]} */
export const STACK = [
  ['dram', 3, 'var(--cbm-dram, #1899a6)'],
  ['cpu', 1, 'var(--cbm-cpu, #1557a8)'],
  ['gpu', 2, 'var(--cbm-gpu, #d95f02)'],
];
const COLUMNS = /** @type {const} */ ([1, 2, 3]);
const LEAST_POINTS = 60;
const MOST_POINTS = 300;
/** At rest a reading comes every 10 s; what is farther apart is a gap. */
export const GAP_S = 12;
const LEAST_TOP_W = 5;
/** What a tick may stand for: seconds, minutes, hours, days. */
const STEPS_S = [5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800];

/**
 * How many steps a plot can show: no more than it has pixels, and than there are seconds.
 * @param {number} width In pixels.
 * @param {number} span
 */
export function stepsIn(width, span) {
  return Math.max(LEAST_POINTS, Math.min(MOST_POINTS, Math.floor(width), Math.ceil(span)));
}

/**
 * Watts at even steps up to `now`: rows of CPU, GPU and memory, NaN where nothing is known.
 * @param {readonly Sample[]} samples
 * @param {number} now
 * @param {number} span
 * @param {number} steps One row more than that.
 * @returns {number[][]}
 */
export function evenly(samples, now, span, steps) {
  const step = span / steps;
  const rows = [];
  let at = 0;
  for (let index = 0; index <= steps; index += 1) {
    const from = now - span + (index - 1) * step;
    const to = from + step;
    while (at < samples.length && samples[at][0] <= from) at += 1;
    let end = at;
    while (end < samples.length && samples[end][0] <= to + 1e-6) end += 1;
    rows.push(end > at ? COLUMNS.map((column) => meanOf(samples, at, end, column)) : bridged(samples, at, from));
  }
  return rows;
}

/**
 * @param {readonly Sample[]} samples
 * @param {number} from
 * @param {number} to
 * @param {1 | 2 | 3} column
 * @returns {number} NaN where nothing is known.
 */
function meanOf(samples, from, to, column) {
  let sum = 0;
  let count = 0;
  for (let index = from; index < to; index += 1) {
    const watts = samples[index][column];
    if (watts === null) continue;
    sum += watts;
    count += 1;
  }
  return sum / count;
}

/**
 * @param {readonly number[]} values
 * @returns {number} NaN of none.
 */
export function mean(values) {
  return values.length ? values.reduce((a, b) => a + b, 0) / values.length : NaN;
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
 * @param {readonly number[]} row
 * @returns {number} The sum of what is known, NaN where nothing is.
 */
export function whole(row) {
  let sum = NaN;
  for (const watts of row) if (watts >= 0) sum = (Number.isNaN(sum) ? 0 : sum) + watts;
  return sum;
}

/**
 * The gaps: first and last row without numbers, after the first that has any.
 * @param {readonly number[][]} rows
 * @returns {[number, number][]}
 */
export function gapsOf(rows) {
  /** @type {[number, number][]} */
  const gaps = [];
  let start = -1;
  const first = rows.findIndex((row) => whole(row) >= 0);
  for (let index = Math.max(first, 0); index < rows.length; index += 1) {
    const empty = !(whole(rows[index]) >= 0);
    if (empty && start < 0) start = index;
    if (!empty && start >= 0) {
      gaps.push([start, index - 1]);
      start = -1;
    }
  }
  return gaps;
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
 * Three ticks upwards, the unit on the top one.
 * @param {number} top In watts.
 * @param {Host} host
 * @returns {[number, string][]}
 */
export function wattTicks(top, host) {
  const kilo = top >= 2000;
  const [half, all] = [top / 2, top]
    .map((watts) => (kilo ? watts / 1000 : watts))
    .map((figure) => formats(host.locale).number(figure, Number.isInteger(figure) ? 0 : 1));
  return [
    [0, '0'],
    [top / 2, half],
    [top, `${all}${NBSP}${kilo ? 'kW' : 'W'}`],
  ];
}

/**
 * Three ticks along the time, the unit on the first: "−4 min", "−2", "now".
 * @param {number} seconds Of the whole axis.
 * @param {Host} host
 * @returns {[number, string][]}
 */
export function timeTicks(seconds, host) {
  const step = STEPS_S.filter((one) => 2 * one < 0.9 * seconds).pop() ?? STEPS_S[0];
  const [size, unit] =
    step < 60 ? [1, '%1 s'] : step < 3600 ? [60, '%1 min'] : step < 86400 ? [3600, '%1 h'] : [86400, '%1 d'];
  return [
    [-2 * step, host.say(unit, `−${(2 * step) / size}`).replace(' ', NBSP)],
    [-step, `−${step / size}`],
    [0, host.say('now')],
  ];
}
