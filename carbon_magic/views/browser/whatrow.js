// @ts-check
/*
 * One row of the comparison: name, g/kWh, grams and ratio, and under or beside them the bar from "here", its whisker and
 * a note. Where the ranges meet, the bar is hollow, the ratio in regular weight, and the row says so in words.
 */
import { attr, el, icon, setStyle, setText, show } from './dom.js';
import { formats, NBSP, NOT_YET } from './format.js';
import { JOULES_PER_KWH } from './ratios.js';
import { placeOn } from './scale.js';
import { spokenFigure } from './spoken.js';
import { unclear } from './tip.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./ratios.js').Compared} Compared */
/** @typedef {import('./ratios.js').Here} Here */
/** @typedef {import('./scale.js').Scale} Scale */
/**
 * @typedef {object} RowContext
 * @property {Here | null} here
 * @property {Scale} scale
 * @property {number | null} energy In J.
 * @property {number} prefix Of the column of grams.
 * @property {boolean} isHere
 */

/** Percent of the track that a note needs beside the bar. */
const ROOM_FOR_NOTE = 42;
const ROOM_FOR_PUE = 64;

/**
 * @param {Host} host
 * @param {boolean} isHere
 * @param {((row: HTMLElement) => void) | null} remove
 * @returns {HTMLElement}
 */
export function rowNode(host, isHere, remove) {
  const say = host.say.bind(host);
  const name = el('span', { role: 'cell', class: 'cbm-Row-name' }, el('span', { class: 'cbm-Row-label' }));
  const cells = ['grid', 'mass', 'ratio'].map((part) => el('span', { role: 'cell', class: `cbm-Row-${part}` }));
  const track = el('div', { class: 'cbm-Track', role: 'cell' });
  for (const part of ['bar', 'whisker', 'dot']) track.append(el('i', { class: `cbm-Track-${part}` }));
  const note = el('span', { class: 'cbm-Track-note' }, el('span', { class: 'cbm-mod-wideOnly' }), el('span'));
  track.append(note);
  const node = el('div', { class: 'cbm-Row', role: 'row', tabindex: '0' }, name, ...cells, track);
  if (remove) {
    const cross = el('button', { type: 'button', class: 'cbm-Row-remove', tabindex: '-1', title: say('Remove') });
    cross.append(icon('close'));
    cross.addEventListener('click', () => remove(node));
    track.append(cross);
    attr(node, 'aria-keyshortcuts', 'Delete');
  }
  if (isHere) name.append(el('span', { class: 'cbm-Row-here' }));
  return node;
}

/**
 * @param {HTMLElement} node
 * @param {Compared} item
 * @param {RowContext} context
 * @param {Host} host
 */
export function drawRow(node, item, context, host) {
  const say = host.say.bind(host);
  const format = formats(host.locale);
  const [name, grid, mass, ratio, track] = /** @type {HTMLElement[]} */ (Array.from(node.children));
  const { row } = item;
  const { here, energy, prefix, isHere } = context;
  const hollow = item.overlaps && !isHere;
  const label = /** @type {HTMLElement} */ (name.firstElementChild);
  setText(label, row.name);
  const tag = isHere ? name.lastElementChild : null;
  if (tag) setText(tag, here?.known ? say('here') : say('here?'));
  if (tag) attr(tag, 'title', here?.known ? undefined : say('Where this kernel runs is not known'));
  const intensity = format.intensityRange(row.intensity).figure;
  setText(grid, intensity);
  const grams = energy === null ? null : (item.grams[1] * energy) / JOULES_PER_KWH;
  const massText = grams === null ? NOT_YET : format.massIn(grams, prefix);
  setText(mass, massText);
  const ratioText = isHere ? `${format.number(1, 0)}×` : item.ratio === null ? '' : format.ratio(item.ratio);
  setText(ratio, ratioText);
  attr(ratio, 'class', hollow ? 'cbm-Row-ratio cbm-mod-overlap' : 'cbm-Row-ratio');
  attr(node, 'class', `cbm-Row${isHere ? ' cbm-mod-pinned' : ''}`);
  drawTrack(track, item, context, host);
  node.querySelector('.cbm-Row-remove')?.setAttribute('aria-label', say('Remove %1', row.name));

  const words = [say('%1 grams per kilowatt-hour', intensity)];
  if (grams !== null) words.push(spokenFigure(massText, format.massUnit(prefix), say));
  if (!isHere && item.ratio !== null) {
    const times = ratioText.slice(0, -1);
    words.push(here?.known ? say('%1 times here', times) : say('%1 times the world’s average', times));
  }
  if (item.whisker) {
    const [low, high] = format.ratioRange(item.whisker[0], item.whisker[2]).split('–');
    words.push(isHere ? say('range %1 to %2 times', low, high) : say('range %1 to %2', low, high));
  }
  if (row.pue !== 1) words.push(say('PUE %1', format.number(row.pue, 2)));
  if (hollow) words.push(say('ranges overlap, %1', unclear(item, say)));
  const title = isHere ? (here?.known ? say('Here, %1', row.name) : say('Here unknown, %1', row.name)) : row.name;
  attr(node, 'aria-label', `${title}: ${words.join(', ')}`);
}

/**
 * @param {HTMLElement} track
 * @param {Compared} item
 * @param {RowContext} context
 * @param {Host} host
 */
function drawTrack(track, item, { scale, isHere, here }, host) {
  const [bar, whisker, dot, note] = /** @type {HTMLElement[]} */ (Array.from(track.children));
  attr(track, 'class', item.whisker ? 'cbm-Track' : 'cbm-Track cbm-mod-empty');
  show(dot, isHere);
  show(bar, !isHere && item.ratio !== null);
  show(whisker, item.whisker !== null);
  if (!item.whisker || item.ratio === null || !here) return show(note, false);
  const [low, best, high] = item.whisker.map((ratio) => placeOn(scale, ratio));
  const one = placeOn(scale, 1);
  const between = (/** @type {HTMLElement} */ node, /** @type {number} */ from, /** @type {number} */ to) => {
    setStyle(node, 'left', `${from.toFixed(2)}%`);
    setStyle(node, 'right', `${(100 - to).toFixed(2)}%`);
  };
  between(whisker, low, high);
  setStyle(dot, 'left', `${one.toFixed(2)}%`);
  const hollow = item.overlaps && !isHere;
  between(bar, Math.min(one, best), Math.max(one, best));
  attr(bar, 'class', hollow ? 'cbm-Track-bar cbm-mod-overlap' : 'cbm-Track-bar');

  const base = here.grams[1];
  const right = Math.max(high, placeOn(scale, here.grams[2] / base));
  const left = Math.min(low, placeOn(scale, here.grams[0] / base));
  const say = host.say.bind(host);
  const words = hollow ? unclear(item, say) : '';
  const room = Math.max(100 - right, left);
  const pueText = item.row.pue === 1 || isHere ? '' : `PUE${NBSP}${formats(host.locale).number(item.row.pue, 2)}`;
  const pue = pueText && room >= (words ? ROOM_FOR_PUE : ROOM_FOR_NOTE) ? pueText : '';
  show(note, Boolean(words || pue));
  setText(note.children[0], pue && words ? `${pue}, ` : pue);
  setText(note.children[1], words);
  const row = /** @type {HTMLElement} */ (track.parentElement);
  row.classList.toggle('cbm-mod-hollow', hollow);
  const side = room < ROOM_FOR_NOTE ? 'below' : 100 - right >= left ? 'right' : 'left';
  attr(note, 'class', `cbm-Track-note cbm-mod-${side}`);
  if (side === 'below' && words) row.classList.add('cbm-mod-noted');
  setStyle(note, 'left', side === 'right' ? `calc(${right.toFixed(2)}% + 6px)` : 'auto');
  setStyle(note, 'right', side === 'left' ? `calc(${(100 - left).toFixed(2)}% + 6px)` : 'auto');
}
