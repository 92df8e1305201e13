// @ts-check
/*
 * The cells in the order of their energy, and what they sum up to, worked out once for each change of the cells: a tick
 * does not touch those that have ended, and there may be thousands.
 */
import { DOMAINS } from './checked.js';

/** @typedef {import('./types.js').Cell} Cell */
/** @typedef {import('./types.js').Domain} Domain */
/** @typedef {import('./types.js').Host} Host */
/**
 * @typedef {object} Ranking
 * @property {Cell[]} ordered Highest first; those whose energy is not known last.
 * @property {Partial<Record<Domain, number>>} domains Joules of all of them.
 * @property {number} seconds How long all of them ran.
 * @property {boolean} concurrent Whether any ran at the same time as another.
 * @property {Map<string, number | null>} labels Joules by label; null where cells that ran at once share it.
 */

/** @type {WeakMap<ReadonlyMap<string, Cell>, Ranking>} */
const RANKED = new WeakMap();

/**
 * @param {ReadonlyMap<string, Cell>} cells
 * @returns {Ranking}
 */
export function ranked(cells) {
  let ranking = RANKED.get(cells);
  if (!ranking) RANKED.set(cells, (ranking = rank([...cells.values()])));
  return ranking;
}

/**
 * @param {Cell[]} cells
 * @returns {Ranking}
 */
function rank(cells) {
  const energy = (/** @type {Cell} */ cell) => cell.energy_j?.[1] ?? -1;
  const ordered = cells.sort((a, b) => energy(b) - energy(a) || (a.execution_count ?? 0) - (b.execution_count ?? 0));
  const seconds = ordered.reduce((sum, cell) => sum + cell.duration_s, 0);
  /** @type {Map<string, number | null>} */
  const labels = new Map();
  for (const { label, energy_j, concurrent } of ordered) {
    if (!label || !energy_j) continue;
    const sum = labels.get(label);
    labels.set(label, concurrent || sum === null ? null : (sum ?? 0) + energy_j[1]);
  }
  return {
    ordered,
    domains: sumOfDomains(ordered),
    seconds,
    concurrent: ordered.some((cell) => cell.concurrent),
    labels,
  };
}

/**
 * @param {readonly Cell[]} cells
 * @returns {Partial<Record<Domain, number>>}
 */
export function sumOfDomains(cells) {
  /** @type {Partial<Record<Domain, number>>} */
  const sums = {};
  for (const cell of cells) {
    for (const domain of DOMAINS) sums[domain] = (sums[domain] ?? 0) + (cell.domains[domain] ?? 0);
  }
  return sums;
}

/**
 * What a cell is called: its label, its first line, or nothing.
 * @param {Cell} cell
 * @param {Host} host
 * @returns {string}
 */
export function cellName(cell, host) {
  return cell.label || (host.excerpt?.(cell) ?? '');
}
