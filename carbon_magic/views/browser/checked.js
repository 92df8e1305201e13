// @ts-check
/*
 * What comes over the comm, checked field by field. A kernel runs whatever its notebook says, so a message may hold
 * anything: each reader gives a value of the right type and a bounded size, or null. Nothing here throws.
 */

/** @typedef {import('./types.js').Range} Range */
/** @typedef {import('./types.js').Cell} Cell */
/** @typedef {import('./types.js').Domain} Domain */
/** @typedef {import('./types.js').Provenance} Provenance */
/** @typedef {import('./types.js').Region} Region */
/** @typedef {import('./types.js').Sample} Sample */
/** @typedef {import('./types.js').Source} Source */
/** @typedef {import('./types.js').Terms} Terms */
/** @typedef {import('./types.js').Totals} Totals */
/** @typedef {Record<string, unknown>} Fields */

/** No figure of ours is larger: joules of a power station over a year. */
const LARGEST = 1e18;
const LONGEST_NAME = 200;
const LONGEST_WORDS = 1000;
/** In the order in which they are shown. @type {readonly Domain[]} */
export const DOMAINS = ['gpu', 'cpu', 'dram'];
/** @type {readonly Provenance[]} */
const PROVENANCES = ['measured', 'modelled', 'assumed'];
/** @type {readonly Cell['status'][]} */
const STATUSES = ['ok', 'error', 'interrupted', 'killed', 'running'];

/**
 * @param {unknown} value
 * @returns {Fields | null}
 */
export function fieldsOf(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? /** @type {Fields} */ (value) : null;
}

/**
 * @param {unknown} value
 * @param {number} most
 * @returns {unknown[]}
 */
export function listOf(value, most) {
  return Array.isArray(value) ? value.slice(0, most) : [];
}

/**
 * A finite number of 0 or more.
 * @param {unknown} value
 * @returns {number | null}
 */
export function numberOf(value) {
  return typeof value === 'number' && value >= 0 && value <= LARGEST ? value : null;
}

/** Marks that turn the direction of what follows, and would hide what a label says. */
const TURNED = /[\u202a-\u202e\u2066-\u2069]/g;

/**
 * @param {unknown} value
 * @returns {string | null}
 */
export function nameOf(value) {
  return textOf(value, LONGEST_NAME);
}

/**
 * @param {unknown} value
 * @param {number} [most]
 * @returns {string | null}
 */
export function textOf(value, most = LONGEST_WORDS) {
  if (typeof value !== 'string') return null;
  const text = value.replace(TURNED, '');
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/**
 * An id, which must not be cut: a shortened one would name something else.
 * @param {unknown} value
 * @returns {string | null}
 */
export function idOf(value) {
  return typeof value === 'string' && value.length > 0 && value.length <= LONGEST_NAME ? value : null;
}

/**
 * Low, best and high in order.
 * @param {unknown} value
 * @returns {Range | null}
 */
export function rangeOf(value) {
  if (!Array.isArray(value) || value.length !== 3) return null;
  const [low, best, high] = value.map(numberOf);
  if (low === null || best === null || high === null || low > best || best > high) return null;
  return [low, best, high];
}

/**
 * @template {string} Name
 * @param {unknown} value
 * @param {readonly Name[]} names
 * @returns {Name | null}
 */
function oneOf(value, names) {
  return names.find((name) => name === value) ?? null;
}

/**
 * @param {unknown} value
 * @returns {Provenance | null}
 */
export function provenanceOf(value) {
  return oneOf(value, PROVENANCES);
}

/**
 * @param {unknown} value
 * @returns {Region | null}
 */
export function regionOf(value) {
  const fields = fieldsOf(value);
  const intensity = fields && rangeOf(fields.intensity);
  if (!fields || !intensity) return null;
  const pue = numberOf(fields.pue);
  return {
    id: idOf(fields.id),
    name: nameOf(fields.name) ?? '',
    source: nameOf(fields.source) ?? 'unknown',
    found: textOf(fields.found) ?? '',
    intensity,
    intensity_source: nameOf(fields.intensity_source) ?? '',
    intensity_year: numberOf(fields.intensity_year),
    pue: pue !== null && pue >= 1 && pue <= 10 ? pue : 1,
  };
}

/**
 * What is said of leases, within what is sensible: no view asks all the time, and none keeps a kernel from being culled.
 * @param {unknown} value
 * @returns {Terms | null}
 */
export function termsOf(value) {
  const fields = fieldsOf(value);
  const lease = fields && numberOf(fields.lease_s);
  const quiet = fields && numberOf(fields.quiet_s);
  if (!fields || lease === null || quiet === null) return null;
  const within = (/** @type {number} */ seconds, /** @type {number} */ least, /** @type {number} */ most) =>
    Math.min(Math.max(seconds, least), most);
  return { lease_s: within(lease, 15, 600), quiet_s: within(quiet, 1, 30), keep_live: fields.keep_live === true };
}

/**
 * @param {unknown} value
 * @returns {Totals | null}
 */
export function totalsOf(value) {
  const fields = fieldsOf(value);
  if (!fields) return null;
  const equivalent = fieldsOf(fields.equivalent);
  const words = equivalent && nameOf(equivalent.text);
  const part = numberOf(fields.measured_part);
  /** @type {Totals['domains']} */
  const domains = {};
  const given = fieldsOf(fields.domains) ?? {};
  for (const domain of DOMAINS) {
    const figure = fieldsOf(given[domain]);
    const energy = figure && rangeOf(figure.energy_j);
    const provenance = figure && provenanceOf(figure.provenance);
    if (!figure || !energy || !provenance) continue;
    domains[domain] = {
      energy_j: energy,
      power_w: numberOf(figure.power_w),
      provenance,
      origin: nameOf(figure.origin) ?? provenance,
      counts: figure.counts !== false,
    };
  }
  return {
    now: numberOf(fields.now) ?? 0,
    duration_s: numberOf(fields.duration_s) ?? 0,
    energy_j: rangeOf(fields.energy_j),
    machine_energy_j: rangeOf(fields.machine_energy_j),
    between_j: rangeOf(fields.between_j),
    emissions_g: rangeOf(fields.emissions_g),
    // Only a plain yes lets a best be shown.
    emissions_known: fields.emissions_known === true,
    power_w: numberOf(fields.power_w),
    mean_power_w: numberOf(fields.mean_power_w),
    domains,
    measured_part: part === null ? null : Math.min(part, 1),
    equivalent: words ? { text: words, bounds: (equivalent && nameOf(equivalent.bounds)) ?? '' } : null,
  };
}

/**
 * @param {unknown} value
 * @returns {Cell | null}
 */
export function cellOf(value) {
  const fields = fieldsOf(value);
  const record = fields && idOf(fields.record_id);
  const status = fields && oneOf(fields.status, STATUSES);
  if (!fields || !record || !status) return null;
  /** @type {Cell['domains']} */
  const domains = {};
  const given = fieldsOf(fields.domains) ?? {};
  for (const domain of DOMAINS) {
    const energy = numberOf(given[domain]);
    if (energy !== null) domains[domain] = energy;
  }
  const count = numberOf(fields.execution_count);
  return {
    record_id: record,
    cell_id: idOf(fields.cell_id),
    execution_count: count !== null && Number.isInteger(count) ? count : null,
    label: nameOf(fields.label),
    status,
    final: fields.final === true,
    concurrent: fields.concurrent === true,
    started_at: numberOf(fields.started_at) ?? 0,
    duration_s: numberOf(fields.duration_s) ?? 0,
    energy_j: rangeOf(fields.energy_j),
    emissions_g: rangeOf(fields.emissions_g),
    region_known: fields.region_known === true,
    domains,
    provenance: provenanceOf(fields.provenance),
    below_resolution: fields.below_resolution === true,
    code: textOf(fields.code, LONGEST_NAME),
  };
}

/**
 * @param {unknown} value
 * @param {number} most
 * @returns {Cell[]}
 */
export function cellsOf(value, most) {
  return /** @type {Cell[]} */ (
    listOf(value, most)
      .map(cellOf)
      .filter((cell) => cell !== null)
  );
}

/**
 * Samples in the order of time.
 * @param {unknown} value
 * @param {number} most
 * @returns {Sample[]}
 */
export function samplesOf(value, most) {
  /** @type {Sample[]} */
  const samples = [];
  for (const row of listOf(value, most)) {
    const time = Array.isArray(row) ? numberOf(row[0]) : null;
    if (time === null || (samples.length && time <= samples[samples.length - 1][0])) continue;
    const [, cpu, gpu, dram] = /** @type {unknown[]} */ (row);
    samples.push([time, numberOf(cpu), numberOf(gpu), numberOf(dram)]);
  }
  return samples;
}

/**
 * @param {unknown} value
 * @returns {Source[]}
 */
export function sourcesOf(value) {
  /** @type {Source[]} */
  const sources = [];
  for (const line of listOf(value, 20)) {
    const fields = fieldsOf(line);
    const domain = fields && oneOf(fields.domain, [...DOMAINS, /** @type {const} */ ('grid')]);
    if (!fields || !domain) continue;
    sources.push({
      domain,
      state: nameOf(fields.state) ?? '',
      provenance: provenanceOf(fields.provenance),
      words: textOf(fields.words) ?? '',
    });
  }
  return sources;
}
