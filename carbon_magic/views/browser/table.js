// @ts-check
/*
 * The regions as the browser has them: regions.json read by the names of its columns, with the rows that the user's own
 * data put over it. A row that is not understood is left out; rows are read once for each table.
 */
import { idOf, nameOf, numberOf } from './checked.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').Range} Range */
/** @typedef {import('./types.js').RegionTable} RegionTable */
/**
 * @typedef {object} Row
 * @property {string} id
 * @property {string} kind
 * @property {string} name As rows show it: "Quebec", "AWS eu-north-1".
 * @property {string | null} where What tells it apart: its city, or the country of a state.
 * @property {string[]} aliases Other names it is found by.
 * @property {string | null} continent
 * @property {string | null} provider
 * @property {boolean} eu
 * @property {number | null} latitude
 * @property {number | null} longitude
 * @property {Range} intensity Life cycle, in g CO2e/kWh.
 * @property {number} pue 1 unless it is a cloud's own.
 * @property {number | null} pueYear
 * @property {number | null} year
 * @property {string} source
 * @property {string} basis How the life-cycle figure was made.
 * @property {number | null} direct The published figure where it is on another basis, in g CO2/kWh.
 * @property {number | null} directYear
 * @property {string} directSource
 */

const PROVIDERS = { aws: 'AWS', gcp: 'Google', azure: 'Azure' };

/**
 * @param {string} provider
 * @returns {string}
 */
export function providerName(provider) {
  return nameIn(PROVIDERS, provider);
}

/**
 * What a key stands for, else the key itself.
 * @param {Record<string, string> | undefined} names
 * @param {string} key
 * @returns {string}
 */
function nameIn(names, key) {
  return names && Object.prototype.hasOwnProperty.call(names, key) ? String(names[key]) : key;
}

/**
 * Every region by id, in the table's order.
 * @param {RegionTable} table
 * @param {readonly unknown[][]} own Rows of the user's, in the table's form.
 * @returns {ReadonlyMap<string, Row>}
 */
export function rowsOf(table, own) {
  const at = new Map(table.columns.map((name, index) => [name, index]));
  /** @type {Map<string, Row>} */
  const rows = new Map();
  for (const values of [...table.rows, ...own]) {
    const row = rowOf((column) => values[at.get(column) ?? -1], table);
    if (row) rows.set(row.id, row);
  }
  for (const row of rows.values()) {
    if (row.kind === 'subdivision' && row.where === null) row.where = countryOf(row.id, rows);
  }
  return rows;
}

/** @type {WeakMap<RegionTable, {own: readonly unknown[][], rows: ReadonlyMap<string, Row>}>} */
const READ = new WeakMap();

/**
 * The host's rows, read again only when the user's own change.
 * @param {Host} host
 * @returns {ReadonlyMap<string, Row>}
 */
export function rowsFor(host) {
  const { regions } = host.state();
  const read = READ.get(host.table);
  if (read && read.own === regions) return read.rows;
  const rows = rowsOf(host.table, regions);
  READ.set(host.table, { own: regions, rows });
  return rows;
}

/**
 * @param {string} id
 * @param {ReadonlyMap<string, Row>} rows
 * @returns {string | null}
 */
function countryOf(id, rows) {
  return rows.get(id.split('-')[0])?.name ?? null;
}

/**
 * @param {(column: string) => unknown} value
 * @param {RegionTable} table
 * @returns {Row | null}
 */
function rowOf(value, table) {
  const id = idOf(value('id'));
  const best = numberOf(value('best'));
  if (!id || best === null) return null;
  const low = Math.min(numberOf(value('low')) ?? best, best);
  const high = Math.max(numberOf(value('high')) ?? best, best);
  const provider = nameOf(value('provider')) || null;
  const short = id.includes(':') ? id.slice(id.indexOf(':') + 1) : id;
  const given = nameOf(value('name')) || id;
  const pue = numberOf(value('pue'));
  const others = value('aliases');
  const aliases = [
    given,
    id,
    short,
    nameOf(value('iso3')),
    ...(Array.isArray(others) ? others.slice(0, 20).map(nameOf) : []),
  ];
  return {
    id,
    kind: nameOf(value('kind')) ?? '',
    name: provider ? `${providerName(provider)} ${short}` : given,
    where: nameOf(value('city')) || null,
    aliases: /** @type {string[]} */ (aliases.filter(Boolean)),
    continent: nameOf(value('continent')) || null,
    provider,
    eu: value('eu') === true || value('eu') === 1,
    latitude: degreesOf(value('latitude'), 90),
    longitude: degreesOf(value('longitude'), 180),
    intensity: [low, best, high],
    pue: pue !== null && pue >= 1 && pue <= 10 ? pue : 1,
    pueYear: numberOf(value('pue_year')),
    year: numberOf(value('year')),
    source: nameIn(table.sources, nameOf(value('source')) ?? ''),
    basis: nameIn(table.methods, nameOf(value('method')) ?? ''),
    direct: numberOf(value('direct')),
    directYear: numberOf(value('direct_year')),
    directSource: nameIn(table.sources, nameOf(value('direct_source')) ?? ''),
  };
}

/**
 * @param {unknown} value
 * @param {number} most
 * @returns {number | null}
 */
function degreesOf(value, most) {
  return typeof value === 'number' && Math.abs(value) <= most ? value : null;
}

const EARTH_RADIUS_KM = 6371;

/**
 * Along the surface, in km; null where a place is not known.
 * @param {Row} a
 * @param {Row} b
 * @returns {number | null}
 */
export function distanceKm(a, b) {
  if (a.latitude === null || a.longitude === null || b.latitude === null || b.longitude === null) return null;
  const radians = Math.PI / 180;
  const dLat = (b.latitude - a.latitude) * radians;
  const dLon = (b.longitude - a.longitude) * radians;
  const h =
    Math.sin(dLat / 2) ** 2 + Math.cos(a.latitude * radians) * Math.cos(b.latitude * radians) * Math.sin(dLon / 2) ** 2;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(h)));
}

/**
 * Lower case without accents, one character for each of `text`, so that a place in one is a place in the other.
 * @param {string} text
 * @returns {string}
 */
export function folded(text) {
  let result = '';
  for (let at = 0; at < text.length; at += 1) {
    const plain = text[at].normalize('NFD')[0].toLowerCase();
    result += plain.length === 1 ? plain : text[at];
  }
  return result;
}

/**
 * How well a row fits what was typed; 0 where it does not.
 * @param {Row} row
 * @param {string} asked Folded and trimmed.
 * @returns {number}
 */
function fit(row, asked) {
  let best = 0;
  const shown = [row.name, row.where ?? ''];
  for (const [index, text] of [...shown, ...row.aliases].entries()) {
    const whole = folded(text);
    const at = whole.indexOf(asked);
    if (at < 0) continue;
    const starts = at === 0 || /[^\p{L}\p{N}]/u.test(whole[at - 1]);
    // The whole of a name, then its beginning, then that of a word in it, then anywhere; what is shown before what is not.
    const score = (whole === asked ? 8 : at === 0 ? 6 : starts ? 4 : 1) + (index === 0 ? 1 : index === 1 ? 0.5 : 0);
    best = Math.max(best, score);
  }
  return best;
}

/**
 * The rows that fit what was typed by name, id, city or another name, best first.
 * @param {Iterable<Row>} rows
 * @param {string} asked
 * @returns {Row[]}
 */
export function matches(rows, asked) {
  const key = folded(asked.trim()).slice(0, 100);
  if (!key) return [];
  /** @type {[number, Row][]} */
  const found = [];
  for (const row of rows) {
    const score = fit(row, key);
    if (score > 0) found.push([score, row]);
  }
  return found.sort((a, b) => b[0] - a[0] || byName(a[1], b[1])).map(([, row]) => row);
}

/**
 * @param {Row} a
 * @param {Row} b
 * @returns {number}
 */
export function byName(a, b) {
  return a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1);
}
