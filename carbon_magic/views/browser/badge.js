// @ts-check
/*
 * The words under an executed cell and in the status bar, with the level of their tint: energy first, the share of the
 * session only from a tenth on. Pure: the labextension draws them.
 */
import { formatsOf, NBSP } from './format.js';
import { regionKnown } from './region.js';
import { mainProvenance } from './totals.js';

/** @typedef {import('./types.js').Cell} Cell */
/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').Provenance} Provenance */
/** @typedef {import('./types.js').State} State */
/** @typedef {import('./types.js').Totals} Totals */
/**
 * @typedef {object} BadgeText
 * @property {string} figure The first figure, in the text's colour: "4.6 Wh".
 * @property {string} rest What follows it, with its leading " · ", muted.
 * @property {string} text Both.
 * @property {Provenance | null} exception Modelled or assumed: the figure is underlined; null where measured.
 * @property {0 | 1 | 2 | 3} heat Under 10 %, from 10, 25 and 50 % of the session.
 * @property {string} title The ranges.
 */
/**
 * @typedef {object} StatusText
 * @property {string} power "186 W"; empty where there is none.
 * @property {string} rest " · 1.7 g", " · region?", "off".
 * @property {string} text
 * @property {Provenance | null} exception
 * @property {string} title
 */

const SEPARATOR = ' · ';
/** Parts of the session from which on a badge is tinted. */
export const HEAT = [0.1, 0.25, 0.5];

/**
 * @param {Provenance | null} provenance
 * @returns {Provenance | null}
 */
function exceptionOf(provenance) {
  return provenance === 'measured' ? null : provenance;
}

/**
 * @param {Cell | null} cell Null for a cell that ran while tracking was off.
 * @param {Totals | null} totals
 * @param {Pick<Host, 'say' | 'locale' | 'unit'>} host
 * @param {{edited?: boolean}} [more] Whether its source has changed since it ran.
 * @returns {BadgeText}
 */
export function badgeText(cell, totals, host, more = {}) {
  const say = host.say.bind(host);
  if (!cell)
    return { figure: '', rest: say('not tracked'), text: say('not tracked'), exception: null, heat: 0, title: '' };
  const format = formatsOf(host);
  const took = format.duration(cell.duration_s);
  /** @type {Record<Cell['status'], string>} */
  const times = {
    ok: took,
    error: say('error after %1', took),
    interrupted: say('interrupted after %1', took),
    killed: say('killed after %1', took),
    running: say('%1, running', format.running(cell.duration_s)),
  };
  const energy = cell.energy_j;
  if (!energy)
    return { figure: '', rest: times[cell.status], text: times[cell.status], exception: null, heat: 0, title: '' };
  const about = cell.below_resolution;
  const figure = about ? format.aboutEnergy(energy[1]) : format.energy(energy[1]);
  const parts = [];
  const titles = [rangeWords(format.energyRange(energy), say)];
  if (cell.emissions_g && cell.region_known) {
    parts.push(about ? format.aboutMass(cell.emissions_g[1]) : format.mass(cell.emissions_g[1]));
    titles.push(rangeWords(format.massRange(cell.emissions_g), say, ' CO₂e'));
  } else if (cell.emissions_g) {
    parts.push(say('region unknown'));
    titles.push(say('%1 CO₂e, region unknown', format.massSpan(cell.emissions_g[0], cell.emissions_g[2]).alone));
  }
  parts.push(times[cell.status]);
  const total = totals?.energy_j?.[1] ?? 0;
  const part = total > 0 && !cell.concurrent ? Math.min(energy[1] / total, 1) : 0;
  const heat = /** @type {0 | 1 | 2 | 3} */ (HEAT.filter((least) => part >= least).length);
  if (heat) parts.push(say('%1 of session', format.share(part)));
  if (more.edited) parts.push(say('edited since'));
  if (exceptionOf(cell.provenance)) titles.push(say(cell.provenance ?? ''));
  if (!cell.final && cell.status !== 'running') titles.push(say('not final yet'));
  const rest = parts.map((words) => SEPARATOR + words).join('');
  return { figure, rest, text: figure + rest, exception: exceptionOf(cell.provenance), heat, title: titles.join('; ') };
}

/**
 * @param {import('./format.js').Written} written
 * @param {Host['say']} say
 * @param {string} [after]
 */
function rangeWords(written, say, after = '') {
  return say('%1 (%2)', written.best + after, written.bounds);
}

/**
 * @param {State} state
 * @param {Pick<Host, 'say' | 'locale' | 'unit'>} host
 * @returns {StatusText}
 */
export function statusText(state, host) {
  const say = host.say.bind(host);
  const format = formatsOf(host);
  const { totals } = state;
  const live = state.face === 'tracking' || state.face === 'lost' || state.face === 'versions';
  if (!live)
    return { power: '', rest: say('off'), text: say('off'), exception: null, title: say('Carbon: tracking is off') };
  const power = totals?.power_w == null ? `–${NBSP}W` : format.power(totals.power_w);
  const provenance = totals && Object.keys(totals.domains).length ? mainProvenance(totals) : 'measured';
  const titles = [];
  if (totals?.energy_j) titles.push(rangeWords(format.energyRange(totals.energy_j), say));
  let grams = '';
  if (totals?.emissions_g && totals.emissions_known) {
    grams = format.mass(totals.emissions_g[1]);
    titles.push(rangeWords(format.massRange(totals.emissions_g), say, ' CO₂e'));
  } else if (totals?.emissions_g) {
    const span = format.massSpan(totals.emissions_g[0], totals.emissions_g[2]).alone;
    const known = regionKnown(state.region);
    grams = known ? span : say('region?');
    titles.push(known ? say('%1 CO₂e, region unknown for a part', span) : say('%1 CO₂e, region unknown', span));
  }
  const rest = grams && SEPARATOR + grams;
  const title = [say('This session, chips only'), ...titles, say('Click for the panel')].join('\n');
  return { power, rest, text: power + rest, exception: exceptionOf(provenance), title };
}
