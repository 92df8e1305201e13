// @ts-check
/*
 * A scale on which each step doubles, so that 0.7 times and 16 times are both legible, and where 1 time is the true zero
 * of every bar. It depends on the rows alone: bars stand still while the energy grows.
 */

/** @typedef {{from: number, to: number}} Scale In powers of two. */

/** Nothing is drawn further out: no pair of grids is that far apart. */
const FURTHEST = 12;
const MOST_LABELS = 7;

/**
 * From the power of two below the lowest whisker to just past the highest.
 * @param {Iterable<[number, number]>} whiskers Lows and highs, as ratios.
 * @returns {Scale}
 */
export function scaleOf(whiskers) {
  let from = -1;
  let to = 1;
  for (const [low, high] of whiskers) {
    from = Math.min(from, Math.floor(steps(low) + 1e-9));
    to = Math.max(to, steps(high));
  }
  return { from, to: to + 0.06 * (to - from) };
}

/**
 * @param {number} ratio
 * @returns {number}
 */
function steps(ratio) {
  return ratio > 0 ? Math.min(Math.max(Math.log2(ratio), -FURTHEST), FURTHEST) : -FURTHEST;
}

/**
 * Where a ratio stands, in percent from the left.
 * @param {Scale} scale
 * @param {number} ratio
 * @returns {number}
 */
export function placeOn({ from, to }, ratio) {
  return Math.min(Math.max(((steps(ratio) - from) / (to - from)) * 100, 0), 100);
}

/**
 * The powers of two to be labelled, 1 among them.
 * @param {Scale} scale
 * @returns {number[]}
 */
export function labelledSteps({ from, to }) {
  // Fractions with a long name take the room of two.
  const wanted = Math.floor(to) - from + 1 + Math.max(-3 - from, 0);
  const every = Math.ceil(wanted / MOST_LABELS);
  const result = [];
  for (let step = from; step <= to; step += 1) if (step % every === 0) result.push(step);
  return result;
}

/**
 * @param {number} step
 * @returns {string}
 */
export function stepLabel(step) {
  if (step >= 0) return `${2 ** step}×`;
  return step >= -3 ? `${['½', '¼', '⅛'][-step - 1]}×` : `1/${2 ** -step}×`;
}
