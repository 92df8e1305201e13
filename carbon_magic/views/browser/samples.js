// @ts-check
/*
 * The samples of power, thinned with age so that a day of them stays small: one a second for the last hour, one in ten
 * seconds before. A row of nulls is a gap, and stays one.
 */

/** @typedef {import('./types.js').Sample} Sample */

export const MOST_SAMPLES = 20_000;
const FINE_FOR_S = 3600;
const COARSE_S = 10;

/**
 * @param {readonly Sample[]} before
 * @param {readonly Sample[]} added
 * @returns {readonly Sample[]}
 */
export function withSamples(before, added) {
  const last = before.length ? before[before.length - 1][0] : -1;
  const fresh = added.filter((sample) => sample[0] > last);
  if (!fresh.length) return before;
  const all = [...before, ...fresh];
  // A minute's worth at a time: thinning looks at all of them.
  const border = firstAfter(all, all[all.length - 1][0] - FINE_FOR_S);
  const ripe = border > 60 && all[border - 1][0] - all[border - 61][0] < 60 * COARSE_S * 0.5;
  return ripe || all.length > MOST_SAMPLES ? thinned(all) : all;
}

/**
 * One sample a second for the last hour, one in ten seconds before: the mean of those that are no gap.
 * @param {readonly Sample[]} samples In order of time.
 * @returns {readonly Sample[]}
 */
export function thinned(samples) {
  if (!samples.length) return samples;
  const border = firstAfter(samples, samples[samples.length - 1][0] - FINE_FOR_S);
  let coarse = merged(samples.slice(0, border), COARSE_S);
  for (let width = COARSE_S * 2; coarse.length > MOST_SAMPLES / 2; width *= 2) coarse = merged(coarse, width);
  return [...coarse, ...samples.slice(border)];
}

/**
 * @param {readonly Sample[]} samples
 * @param {number} width In seconds.
 * @returns {Sample[]}
 */
function merged(samples, width) {
  /** @type {Sample[]} */
  const result = [];
  for (let from = 0; from < samples.length;) {
    const bucket = Math.floor(samples[from][0] / width);
    let to = from + 1;
    // A gap stands for itself: a mean over it would close it.
    const same = (/** @type {Sample} */ row) => Math.floor(row[0] / width) === bucket && !isGap(row);
    while (!isGap(samples[from]) && to < samples.length && same(samples[to])) to += 1;
    const part = samples.slice(from, to);
    result.push(part.length === 1 ? part[0] : [part[0][0], ...wattsMean(part)]);
    from = to;
  }
  return result;
}

/**
 * @param {Sample} sample
 * @returns {boolean}
 */
export function isGap([, cpu, gpu, dram]) {
  return cpu === null && gpu === null && dram === null;
}

/**
 * @param {readonly Sample[]} samples
 * @returns {[number | null, number | null, number | null]}
 */
function wattsMean(samples) {
  const mean = (/** @type {1 | 2 | 3} */ domain) => {
    const known = samples.map((sample) => sample[domain]).filter((value) => value !== null);
    return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
  };
  return [mean(1), mean(2), mean(3)];
}

/**
 * The place of the first sample later than `time`.
 * @param {readonly Sample[]} samples
 * @param {number} time
 * @returns {number}
 */
export function firstAfter(samples, time) {
  let from = 0;
  let to = samples.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (samples[middle][0] <= time) from = middle + 1;
    else to = middle;
  }
  return from;
}
