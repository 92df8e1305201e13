// @ts-check
/*
 * What stands behind a row of the comparison, on hover and on focus: its range, grams, ratio, PUE, year, source and how
 * its life-cycle figure was made. The published direct figure is shown as what it is, not comparable.
 */
import { el, show } from './dom.js';
import { CO2E, formatsOf, NBSP } from './format.js';
import { JOULES_PER_KWH, ratioRange } from './ratios.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./ratios.js').Compared} Compared */
/** @typedef {import('./ratios.js').Here} Here */

/**
 * @param {Host} host
 * @param {Compared} item
 * @param {Here | null} here
 * @param {number | null} energy In J.
 * @returns {Node[]}
 */
export function tipNodes(host, item, here, energy) {
  const say = host.say.bind(host);
  const format = formatsOf(host);
  const { row } = item;
  const small = (/** @type {string} */ text) => el('span', { class: 'cbm-small' }, text);
  const line = (/** @type {(string | Node | false)[]} */ ...children) => el('div', {}, ...children);
  const intensity = format.intensityRange(row.intensity);
  const nodes = [line(el('b', {}, row.where ? `${row.name}, ${row.where}` : row.name), ' ', small(row.id))];
  nodes.push(line(`${intensity.figure}${NBSP}g ${CO2E}/kWh `, small(`(${intensity.bounds})`), say(', life cycle')));
  if (energy !== null) {
    const kwh = energy / JOULES_PER_KWH;
    const [low, best, high] = item.grams;
    const grams = format.massRange([low * kwh, best * kwh, high * kwh]);
    nodes.push(line(`${grams.best} `, small(say('(%1) for the same %2', grams.bounds, format.energy(energy)))));
  }
  if (here && item.ratio !== null && item.row.id !== here.row.id) {
    const [low, , high] = ratioRange(item, here);
    const ratio = format.ratio(item.ratio);
    const words = here.known ? say('%1 here', ratio) : say('%1 the world’s average', ratio);
    nodes.push(line(`${words} `, Number.isFinite(high) && small(`(${format.ratioRange(low, high)})`)));
    if (item.overlaps) nodes.push(line(say('The ranges overlap: %1', unclear(item, say))));
  }
  if (row.pue !== 1) {
    const pue = format.number(row.pue, 2);
    nodes.push(line(row.pueYear ? say('PUE %1 (%2)', pue, String(row.pueYear)) : say('PUE %1', pue)));
  }
  const origin = [row.source, row.year === null ? '' : String(row.year)].filter(Boolean).join(', ');
  const source = [origin, row.basis].filter(Boolean).join(': ');
  if (source) nodes.push(line(small(`${source}.`)));
  if (row.direct !== null) {
    const from = [row.directSource, row.directYear === null ? '' : String(row.directYear)].filter(Boolean).join(', ');
    nodes.push(
      line(
        small(
          say(
            'Published direct figure: %1 g/kWh (%2); combustion only, not comparable.',
            format.ratio(row.direct).slice(0, -1),
            from,
          ),
        ),
      ),
    );
  }
  return nodes;
}

/**
 * @param {Compared} item
 * @param {Host['say']} say
 * @returns {string}
 */
export function unclear(item, say) {
  if (item.ratio === 1) return say('not clearly different');
  return (item.ratio ?? 1) < 1 ? say('not clearly lower') : say('not clearly higher');
}

/**
 * One tooltip for all rows, under the row that it is about.
 * @param {HTMLElement} around It stands in here.
 * @param {(row: HTMLElement) => Node[]} contents
 * @returns {{showFor: (row: HTMLElement) => void, hide: () => void, row: () => HTMLElement | null}}
 */
export function tooltip(around, contents) {
  const id = `cbm-tip-${Math.random().toString(36).slice(2)}`;
  const tip = el('div', { class: 'cbm-Tip', role: 'tooltip', id, hidden: true });
  around.append(tip);
  /** @type {HTMLElement | null} */
  let about = null;
  const hide = () => {
    about?.removeAttribute('aria-describedby');
    about = null;
    show(tip, false);
  };
  return {
    hide,
    row: () => about,
    showFor(row) {
      if (about !== row) hide();
      about = row;
      tip.replaceChildren(...contents(row));
      row.setAttribute('aria-describedby', id);
      show(tip, true);
      const frame = around.getBoundingClientRect();
      const place = row.getBoundingClientRect();
      const below = place.bottom - frame.top + 2;
      // Above where the window ends below: a tip that cannot be seen is none.
      const room = place.bottom + tip.offsetHeight + 4 <= window.innerHeight || place.top < tip.offsetHeight;
      tip.style.top = `${room ? below : place.top - frame.top - tip.offsetHeight - 2}px`;
    },
  };
}
