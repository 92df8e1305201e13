// @ts-check
/*
 * What the user chose for the comparison, kept by the host, and what follows from it: which regions are listed, against
 * what, and for which energy. Everything is computed here, from the table of regions: it works while a cell runs and after
 * the kernel has died.
 */
import { fieldsOf, listOf } from './checked.js';
import { prompt } from './faces.js';
import { anyFilter, compared, filtered, gramsPerKwh, sorted } from './ratios.js';
import { cellName, ranked } from './ranking.js';
import { rowsFor } from './table.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').State} State */
/** @typedef {import('./table.js').Row} Row */
/** @typedef {import('./ratios.js').Compared} Compared */
/** @typedef {import('./ratios.js').Filters} Filters */
/** @typedef {import('./ratios.js').Here} Here */
/** @typedef {import('./ratios.js').Sorting} Sorting */
/**
 * @typedef {object} Choices
 * @property {string[]} regions By id.
 * @property {Filters} filters
 * @property {Sorting} sorting
 */
/**
 * @typedef {object} Listing
 * @property {Here | null} here
 * @property {Compared | null} pinned Here as a row.
 * @property {Compared[]} rows Without here.
 * @property {boolean} isFiltered
 */

const CHOICES_KEY = 'whatif';
/** A spread of grids and one cloud, for a start; each can be removed. */
const AT_FIRST = ['CA-QC', 'SE', 'FR', 'aws:eu-north-1', 'US-CA', 'DE', 'PL', 'IN'];
const MOST_CHOSEN = 100;
const MOST_ENERGIES = 50;

/**
 * @param {Host} host
 * @returns {Choices}
 */
export function recalled(host) {
  const kept = fieldsOf(host.recall(CHOICES_KEY)) ?? {};
  const filters = fieldsOf(kept.filters) ?? {};
  const sorting = fieldsOf(kept.sorting) ?? {};
  const text = (/** @type {unknown} */ value) => (typeof value === 'string' ? value : '');
  const key = /** @type {const} */ (['name', 'intensity', 'mass', 'ratio']).find((name) => name === sorting.key);
  const regions = Array.isArray(kept.regions) ? listOf(kept.regions, MOST_CHOSEN).map(text).filter(Boolean) : AT_FIRST;
  return {
    regions,
    filters: {
      continent: text(filters.continent),
      provider: text(filters.provider),
      eu: filters.eu === true,
      near: filters.near === true,
    },
    sorting: { key: key ?? 'ratio', down: sorting.down === true },
  };
}

/**
 * @param {Host} host
 * @param {Partial<Choices>} changes
 */
export function choose(host, changes) {
  const choices = { ...recalled(host), ...changes };
  host.remember(CHOICES_KEY, { ...choices, regions: choices.regions.slice(-MOST_CHOSEN) });
}

/**
 * The grid to compare with: the kernel's own figures of it; where it is unknown the world's mean, with its range.
 * @param {Host} host
 * @returns {Here | null}
 */
export function hereOf(host) {
  const { region } = host.state();
  if (!region) return null;
  const known = region.id !== null && region.source !== 'unknown';
  const listed = rowsFor(host).get(known ? (region.id ?? '') : 'WORLD');
  /** @type {Row} */
  const row = {
    id: known ? (region.id ?? '') : 'WORLD',
    kind: listed?.kind ?? '',
    name: known ? (listed?.name ?? region.name) : host.say('World average'),
    where: listed?.where ?? null,
    aliases: listed?.aliases ?? [],
    continent: listed?.continent ?? null,
    provider: listed?.provider ?? null,
    eu: listed?.eu ?? false,
    latitude: known ? (listed?.latitude ?? null) : null,
    longitude: known ? (listed?.longitude ?? null) : null,
    intensity: region.intensity,
    pue: region.pue,
    pueYear: listed && listed.pue === region.pue ? listed.pueYear : null,
    year: region.intensity_year,
    source: region.intensity_source,
    basis: listed?.basis ?? '',
    direct: listed?.direct ?? null,
    directYear: listed?.directYear ?? null,
    directSource: listed?.directSource ?? '',
  };
  return { row, grams: gramsPerKwh(row), known };
}

/**
 * What is listed: with a filter all that match, else what was chosen.
 * @param {Host} host
 * @returns {Listing}
 */
export function listing(host) {
  const choices = recalled(host);
  const all = rowsFor(host);
  const here = hereOf(host);
  const isFiltered = anyFilter(choices.filters);
  /** @type {Row[]} */
  const rows = isFiltered
    ? filtered(all.values(), choices.filters, here?.row ?? null)
    : choices.regions.map((id) => all.get(id)).filter((row) => row !== undefined);
  const others = rows.filter((row) => !here?.known || row.id !== here.row.id);
  return {
    here,
    pinned: here && compared(here.row, here),
    rows: sorted(
      others.map((row) => compared(row, here)),
      choices.sorting,
    ),
    isFiltered,
  };
}

/**
 * Whose energy can be compared: the session's, a label's, a cell's; the dearest first.
 * @param {Host} host
 * @returns {{key: string, name: string, energy: number | null}[]}
 */
export function energies(host) {
  const state = host.state();
  const whole = { key: 'session', name: host.say('Session'), energy: state.totals?.energy_j?.[1] ?? null };
  const { ordered, labels: byLabel } = ranked(state.cells);
  const labels = [...byLabel]
    .filter(([, energy]) => energy !== null)
    .slice(0, MOST_ENERGIES)
    .map(([label, energy]) => ({ key: `label ${label}`, name: label, energy }));
  const cells = ordered
    .slice(0, MOST_ENERGIES)
    .filter((cell) => cell.energy_j)
    .map((cell) => ({
      key: `cell ${cell.record_id}`,
      name: [prompt(cell.execution_count), cellName(cell, host)].filter(Boolean).join(' ').slice(0, 60),
      energy: cell.energy_j?.[1] ?? null,
    }));
  return [whole, ...labels, ...cells];
}
