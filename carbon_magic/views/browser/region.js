// @ts-check
/*
 * The line of the region in the totals: its name and intensity, how it was found, and the search that changes it. Where
 * it is unknown the line says so, with the range of the world's grids, and never a likely one.
 */
import { attr, button, el, icon, setText, show } from './dom.js';
import { formats, NBSP, unbroken } from './format.js';
import { mountSearch } from './search.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').State} State */

/** Where somebody, or the cloud itself, said where this is; anything else is assumed until it is confirmed. */
const SAID = ['cell', 'user', 'config', 'environment', 'cloud-init', 'cloud', 'metadata'];

/**
 * @param {State['region']} region
 */
export function regionKnown(region) {
  return region !== null && region.id !== null && region.source !== 'unknown';
}

/**
 * @param {Host} host
 */
export function regionNodes(host) {
  const say = host.say.bind(host);
  const format = formats(host.locale);
  const name = el('span');
  const intensity = el('span', { class: 'cbm-small' });
  const found = el('span', { class: 'cbm-Line-sub cbm-small cbm-mod-wraps' });
  const change = button('', () => toggle());
  const search = el('div', { class: 'cbm-Line-sub', hidden: true });
  const main = el('span', { class: 'cbm-Line-main cbm-mod-wraps' }, name, ' ', intensity);
  const element = el('div', { class: 'cbm-Line' }, icon('place'), main, change, found, search);
  const { act } = host;
  const finder = mountSearch(search, host, {
    label: say('Search the region of this kernel by name or id'),
    hint: say('Enter takes the region. Esc closes.'),
    pick: (row) => {
      act.setRegion?.(row.id);
      toggle();
    },
    leave: () => toggle(),
  });
  show(change, Boolean(act.setRegion));
  attr(change, 'aria-expanded', 'false');

  function toggle() {
    const open = search.hasAttribute('hidden');
    show(search, open);
    attr(change, 'aria-expanded', String(open));
    if (open) finder.focus();
    else {
      finder.clear();
      change.focus();
    }
  }

  /** @type {State['region'] | undefined} */
  let drawn;
  /** @param {State} state */
  const draw = ({ region }) => {
    // The same object until the kernel tells another: not at each tick.
    if (region === drawn) return;
    drawn = region;
    show(element, region !== null);
    if (!region) return;
    const known = regionKnown(region);
    const assumed = known && !SAID.includes(region.source);
    const guessed = region.source === 'timezone' ? say('Assumed: from the time zone') : say('Assumed');
    setText(name, known ? region.name : say('Region unknown'));
    attr(name, 'class', assumed ? 'cbm-assumed' : '');
    attr(name, 'title', assumed ? guessed : undefined);
    const pue = region.pue === 1 ? '' : `, PUE${NBSP}${format.number(region.pue, 2)}`;
    setText(intensity, known ? format.intensity(region.intensity[1]) + pue : '');
    const world = unbroken(format.intensityRange(region.intensity).alone);
    setText(
      found,
      known ? region.found : [region.found, say('Grids of the world: %1', world)].filter(Boolean).join('. '),
    );
    setText(change, known ? say('Change') : say('Choose…'));
  };
  return { element, draw };
}
