// @ts-check
/*
 * A row of the list of cells: number, first line of code, energy, share of the session, and a bar as long as the energy,
 * split by domain. Where the host can go to the cell the row is a button.
 */
import { DOMAINS } from './checked.js';
import { attr, el, keyed, setStyle, setText } from './dom.js';
import { prompt } from './faces.js';
import { formatsOf, NBSP, NOT_YET } from './format.js';
import { cellName } from './ranking.js';

/** @typedef {import('./types.js').Cell} Cell */
/** @typedef {import('./types.js').Domain} Domain */
/** @typedef {import('./types.js').Host} Host */
/**
 * A line of the list: a cell, or what is summed up.
 * @typedef {object} Line
 * @property {string} key
 * @property {Cell | null} cell
 * @property {string} words Where there is no cell.
 * @property {string} extra More of them, where there is room.
 * @property {number | null} energy Best, in J.
 * @property {Partial<Record<Domain, number>>} domains
 * @property {boolean} about Below resolution.
 */

/**
 * @param {Cell} cell
 * @returns {Line}
 */
export function lineOf(cell) {
  const energy = cell.energy_j?.[1] ?? null;
  return {
    key: cell.record_id,
    cell,
    words: '',
    extra: '',
    energy,
    domains: cell.domains,
    about: cell.below_resolution,
  };
}

/**
 * @param {Line} line
 * @param {Host} host
 * @returns {HTMLElement}
 */
export function cellRow(line, host) {
  const parts = ['prompt', 'code', 'energy', 'share', 'bar'].map((part) => el('span', { class: `cbm-Cells-${part}` }));
  attr(parts[4], 'aria-hidden', 'true');
  const { cell } = line;
  if (!cell) parts[1].append(el('span'), el('span', { class: 'cbm-mod-roomy' }));
  const reveal = cell !== null && host.act.reveal !== undefined;
  const inside = el(reveal ? 'button' : 'div', reveal ? { type: 'button' } : {}, ...parts);
  if (cell && reveal) inside.addEventListener('click', () => host.act.reveal?.(latest(cell, host)));
  return el('li', {}, inside);
}

/**
 * The cell as it is known by now.
 * @param {Cell} cell
 * @param {Host} host
 * @returns {Cell}
 */
function latest(cell, host) {
  const { cells, running } = host.state();
  return cells.get(cell.record_id) ?? running.find((other) => other.record_id === cell.record_id) ?? cell;
}

/**
 * @param {HTMLElement} node
 * @param {Line} line
 * @param {number} longest Energy of the longest bar, in J.
 * @param {Host} host
 */
export function drawCellRow(node, line, longest, host) {
  const format = formatsOf(host);
  const inside = /** @type {HTMLElement} */ (node.firstElementChild);
  const [number, code, energy, share, bar] = /** @type {HTMLElement[]} */ (Array.from(inside.children));
  const { cell } = line;
  attr(node, 'class', cell?.status === 'running' ? 'cbm-mod-running' : '');
  const name = cell ? cellName(cell, host) : line.words;
  setText(number, cell ? prompt(cell.execution_count) : '');
  setText(cell ? code : code.children[0], name);
  if (!cell) setText(code.children[1], line.extra);
  attr(code, 'class', cell && !cell.label ? 'cbm-Cells-code' : 'cbm-Cells-code cbm-mod-words');
  attr(code, 'title', cell && name ? name : undefined);
  const figure = figureOf(node, line, host);
  setText(energy, figure);
  const total = host.state().totals?.energy_j?.[1] ?? 0;
  const part = line.energy !== null && total > 0 ? format.share(Math.min(line.energy / total, 1)) : '';
  setText(share, part);
  drawBar(bar, line, longest);
  if (!cell) return;
  const goes = host.act.reveal !== undefined;
  const where = prompt(cell.execution_count);
  const sentence = sentenceOf(cell, name, figure.replace(NBSP, ' '), part, host);
  attr(inside, 'aria-label', goes ? `${sentence} ${host.say('Go to cell.')}` : sentence);
  attr(inside, 'role', goes ? undefined : 'group');
  attr(inside, 'title', goes ? host.say('Go to cell %1', where) : undefined);
}

/** @type {WeakMap<HTMLElement, {energy: number, about: boolean, unit: Host['unit'], figure: string}>} */
const WRITTEN = new WeakMap();

/**
 * Of a cell that has ended the same at each tick, and written once.
 * @param {HTMLElement} node
 * @param {Line} line
 * @param {Host} host
 * @returns {string}
 */
function figureOf(node, { energy, about }, host) {
  if (energy === null) return NOT_YET;
  const { unit } = host;
  const before = WRITTEN.get(node);
  if (before && before.energy === energy && before.about === about && before.unit === unit) return before.figure;
  const format = formatsOf(host);
  const figure = (about ? format.aboutEnergy : format.energy)(energy);
  WRITTEN.set(node, { energy, about, unit, figure });
  return figure;
}

/**
 * @param {Cell} cell
 * @param {string} name
 * @param {string} figure
 * @param {string} part
 * @param {Host} host
 * @returns {string}
 */
function sentenceOf(cell, name, figure, part, host) {
  const say = host.say.bind(host);
  const where = prompt(cell.execution_count);
  const what = cell.status === 'running' ? say('Running cell %1', where) : say('Cell %1', where);
  /** @type {Partial<Record<Cell['status'], string>>} */
  const ends = { error: say('ended with an error'), interrupted: say('interrupted'), killed: say('killed') };
  const words = [name ? `${what}: ${name}` : what, figure, part && say('%1 of the session', part), ends[cell.status]];
  return `${words.filter(Boolean).join(', ')}.`;
}

/**
 * Its length by energy, split by domain; of a split that is not known a plain one.
 * @param {HTMLElement} bar
 * @param {Line} line
 * @param {number} longest
 */
function drawBar(bar, line, longest) {
  const parts = DOMAINS.map((domain) => /** @type {const} */ ([domain, line.domains[domain] ?? 0])).filter(
    ([, energy]) => energy > 0,
  );
  const sum = parts.reduce((total, [, energy]) => total + energy, 0);
  const length = longest > 0 && line.energy ? (line.energy / longest) * 100 : 0;
  /** @type {readonly (readonly [string, number])[]} */
  const drawn = length === 0 ? [] : sum > 0 ? parts : [['none', 1]];
  keyed(
    bar,
    drawn,
    ([domain]) => domain,
    ([domain]) => el('i', { class: `cbm-mod-${domain}` }),
    (node, [, energy]) => setStyle(node, 'width', `${((energy / (sum || 1)) * length).toFixed(2)}%`),
  );
}
