// @ts-check
/*
 * The state that the views draw, made from the kernel's messages by a pure function: the same messages in the same order
 * give the same state, and a message that is not understood leaves it as it is. The hosts add what only they know (that
 * no notebook is open, that the kernel died) by `changed`.
 */
import { cellOf, cellsOf, fieldsOf, idOf, listOf, nameOf } from './checked.js';
import { numberOf, regionOf, samplesOf, sourcesOf, termsOf, textOf, totalsOf } from './checked.js';
import { MOST_SAMPLES, thinned, withSamples } from './samples.js';

/** @typedef {import('./types.js').State} State */
/** @typedef {import('./types.js').Cell} Cell */
/** @typedef {import('./checked.js').Fields} Fields */

/** Spoken here; the kernel's messages carry theirs. */
export const PROTOCOL = 1;

const MOST_CELLS = 6000;
const DEAREST_KEPT = 4500;
const LATEST_KEPT = 500;
const MOST_RUNNING = 50;
const MOST_REGIONS = 2000;

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
    terms: null,
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
  // What a face's words needed goes with it: the time when contact was lost, for one.
  const detail = face === before.face ? after.detail : null;
  return { ...after, face, detail, paused: false, heard_at: heardAt ?? state.heard_at };
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
    problems: /** @type {string[]} */ (
      listOf(fields.problems, 10)
        .map((words) => textOf(words))
        .filter(Boolean)
    ),
    regions: /** @type {unknown[][]} */ (listOf(fields.regions, MOST_REGIONS).filter(Array.isArray)),
    terms: termsOf(fields.leases),
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
