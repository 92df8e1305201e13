// @ts-check
/*
 * The state that the views draw, made from the kernel's messages by a pure function: the same messages in the same order
 * give the same state, and a message that is not understood leaves it as it is. The hosts add what only they know (that
 * no notebook is open, that the kernel died) by `changed`.
 */
import { cellOf, cellsOf, fieldsOf, idOf, listOf, nameOf, numberOf, regionOf, samplesOf, sourcesOf, textOf, totalsOf } from './checked.js';

/** @typedef {import('./types.js').State} State */
/** @typedef {import('./types.js').Cell} Cell */
/** @typedef {import('./types.js').Sample} Sample */
/** @typedef {import('./checked.js').Fields} Fields */

/** Spoken here; the kernel's messages carry theirs. */
export const PROTOCOL = 1;

const MOST_CELLS = 6000;
const DEAREST_KEPT = 4500;
const LATEST_KEPT = 500;
const MOST_RUNNING = 50;
const MOST_SAMPLES = 20_000;
const MOST_REGIONS = 2000;
const FINE_FOR_S = 3600;
const COARSE_S = 10;

/**
 * Nothing known yet.
 * @returns {State}
 */
export function empty() {
  return {
    face: 'none',
    notebook: null,
    detail: null,
    paused: false,
    partial: false,
    heard_at: null,
    version: null,
    session_id: null,
    started_at: null,
    region: null,
    sources: [],
    problems: [],
    totals: null,
    running: [],
    cells: new Map(),
    count: 0,
    cells_energy_j: null,
    samples: [],
    regions: [],
  };
}

/**
 * The state after what only the host knows.
 * @param {State} state
 * @param {Partial<State>} changes
 * @returns {State}
 */
export function changed(state, changes) {
  return { ...state, ...changes };
}

/**
 * The state after a message from the kernel, whatever it is; the same object where the message says nothing.
 * @param {State} state
 * @param {unknown} message
 * @param {number | null} [heardAt] When it came, on this browser's clock, in ms.
 * @returns {State}
 */
export function reduce(state, message, heardAt = null) {
  const fields = fieldsOf(message);
  if (!fields) return state;
  if (fields.type === 'refused') return afterRefusal(state, fields, heardAt);
  const session = idOf(fields.session_id);
  if (!session) return state;
  if (fields.type === 'state') return afterState(state, fields, session, heardAt);
  const before = state.session_id === session ? state : anew(state, session);
  const after = afterNews(before, fields);
  if (!after) return state;
  const face = after.face === 'versions' || after.face === 'off' ? after.face : 'tracking';
  return { ...after, face, paused: false, heard_at: heardAt ?? state.heard_at };
}

/**
 * Another session's state: what was is gone, and what came before this message is not known.
 * @param {State} state
 * @param {string} session
 * @returns {State}
 */
function anew(state, session) {
  return { ...empty(), face: 'tracking', notebook: state.notebook, session_id: session, partial: true };
}

/**
 * @param {State} state
 * @param {Fields} fields
 * @param {string} session
 * @param {number | null} heardAt
 * @returns {State}
 */
function afterState(state, fields, session, heardAt) {
  const protocol = numberOf(fields.protocol);
  if (protocol === null) return state;
  const known = state.session_id === session;
  const version = nameOf(fields.version);
  const tracking = fields.tracking === true;
  /** @type {State} */
  const after = {
    ...(known ? state : anew(state, session)),
    face: protocol !== PROTOCOL ? 'versions' : tracking ? 'tracking' : 'off',
    detail: protocol !== PROTOCOL ? String(protocol) : null,
    version,
    heard_at: heardAt ?? state.heard_at,
    started_at: numberOf(fields.started_at),
    region: regionOf(fields.region) ?? (known ? state.region : null),
    sources: sourcesOf(fields.sources),
    problems: /** @type {string[]} */ (listOf(fields.problems, 10).map((words) => textOf(words)).filter(Boolean)),
    regions: /** @type {unknown[][]} */ (listOf(fields.regions, MOST_REGIONS).filter(Array.isArray)),
  };
  // A session's own opening message is where it begins; later ones come in the middle of what is known.
  if (!known) after.partial = false;
  if (!tracking) after.running = [];
  return after;
}

/**
 * @param {State} state
 * @param {Fields} fields
 * @param {number | null} heardAt
 * @returns {State}
 */
function afterRefusal(state, fields, heardAt) {
  const why = textOf(fields.why);
  if (!why) return state;
  const face = fields.what === 'track' && state.face !== 'tracking' ? 'refused' : state.face;
  return { ...state, face, detail: why, heard_at: heardAt ?? state.heard_at };
}

/**
 * Ticks, records and history; null for any other message.
 * @param {State} state
 * @param {Fields} fields
 * @returns {State | null}
 */
function afterNews(state, fields) {
  if (fields.type === 'tick') {
    const totals = totalsOf(fields.totals);
    if (!totals) return null;
    const running = cellsOf(fields.running, MOST_RUNNING);
    return { ...state, totals, running, samples: withSamples(state.samples, samplesOf(fields.samples, MOST_SAMPLES)) };
  }
  if (fields.type === 'record') {
    const cell = cellOf(fields.cell);
    return cell && withRecord({ ...state, totals: totalsOf(fields.totals) ?? state.totals }, cell);
  }
  if (fields.type === 'history') return withHistory(state, fields);
  return null;
}

/**
 * @param {State} state
 * @param {Cell} cell
 * @returns {State}
 */
function withRecord(state, cell) {
  if (cell.status === 'running') return state;
  const running = state.running.filter((other) => other.record_id !== cell.record_id);
  const before = state.cells.get(cell.record_id);
  const cells = new Map(state.cells).set(cell.record_id, cell);
  const added = (cell.energy_j?.[1] ?? 0) - (before?.energy_j?.[1] ?? 0);
  const sum = cell.energy_j ? Math.max((state.cells_energy_j ?? 0) + added, 0) : state.cells_energy_j;
  return {
    ...state,
    running,
    cells: fewer(cells),
    count: before ? state.count : state.count + 1,
    cells_energy_j: sum,
  };
}

/**
 * @param {State} state
 * @param {Fields} fields
 * @returns {State}
 */
function withHistory(state, fields) {
  const told = cellsOf(fields.cells, MOST_CELLS).filter((cell) => cell.status !== 'running');
  const cells = new Map(told.map((cell) => [cell.record_id, cell]));
  for (const [record, cell] of state.cells) cells.set(record, cell);
  const running = state.running.filter((cell) => !cells.has(cell.record_id));
  const samples = samplesOf(fields.samples, MOST_SAMPLES);
  const next = samples.length ? samples[samples.length - 1][0] : -1;
  const newer = state.samples.filter((sample) => sample[0] > next);
  return {
    ...state,
    partial: false,
    running,
    cells: fewer(cells),
    count: Math.max(numberOf(fields.count) ?? 0, cells.size),
    cells_energy_j: numberOf(fields.cells_energy_j),
    samples: thinned([...samples, ...newer]),
  };
}

/**
 * No more cells than can be listed: the dearest and the latest stay.
 * @param {ReadonlyMap<string, Cell>} cells
 * @returns {ReadonlyMap<string, Cell>}
 */
function fewer(cells) {
  if (cells.size <= MOST_CELLS) return cells;
  const inOrder = [...cells.keys()];
  const kept = new Set(inOrder.slice(-LATEST_KEPT));
  const dearest = [...cells.values()].sort((a, b) => (b.energy_j?.[1] ?? 0) - (a.energy_j?.[1] ?? 0));
  for (const cell of dearest.slice(0, DEAREST_KEPT)) kept.add(cell.record_id);
  return new Map([...cells].filter(([record]) => kept.has(record)));
}

/**
 * @param {readonly Sample[]} before
 * @param {readonly Sample[]} added
 * @returns {readonly Sample[]}
 */
function withSamples(before, added) {
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
  for (let from = 0; from < samples.length; ) {
    const bucket = Math.floor(samples[from][0] / width);
    let to = from + 1;
    while (to < samples.length && Math.floor(samples[to][0] / width) === bucket) to += 1;
    const part = samples.slice(from, to);
    result.push(part.length === 1 ? part[0] : [part[0][0], ...meanOf(part)]);
    from = to;
  }
  return result;
}

/**
 * @param {readonly Sample[]} samples
 * @returns {[number | null, number | null, number | null]}
 */
function meanOf(samples) {
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
