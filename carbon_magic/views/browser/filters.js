// @ts-check
/*
 * The filters of the comparison: continent, provider, EU only, near here. A filter that is off shows its name, one that
 * is on its value; what the table cannot answer is not offered.
 */
import { choose, recalled } from './choices.js';
import { attr, el, icon, keyed, setText, show } from './dom.js';
import { anyFilter } from './ratios.js';
import { providerName, rowsFor } from './table.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./ratios.js').Filters} Filters */
/** @typedef {import('./ratios.js').Here} Here */

const NO_FILTER = { continent: '', provider: '', eu: false, near: false };

/**
 * Whether "near here" means anything.
 * @param {Here | null} here
 * @returns {boolean}
 */
export function distanceKnown(here) {
  return here !== null && here.known && here.row.latitude !== null;
}

/**
 * @param {Host} host
 * @param {() => void} after What to do once a filter was changed.
 */
export function whatIfFilters(host, after) {
  const say = host.say.bind(host);
  const change = (/** @type {Partial<Filters>} */ changes) => {
    choose(host, { filters: { ...recalled(host).filters, ...changes } });
    after();
  };
  const continent = choice(say('Continent'), (value) => change({ continent: value }));
  const provider = choice(say('Provider'), (value) => change({ provider: value }));
  const eu = check(say('EU only'), (on) => change({ eu: on }));
  const near = check(say('Near here'), (on) => change({ near: on }));
  const element = el('div', { class: 'cbm-Filters' }, continent.element, provider.element, eu.element, near.element);

  /** @param {boolean} canBeNear */
  const draw = (canBeNear) => {
    const { filters } = recalled(host);
    const rows = [...rowsFor(host).values()];
    const continents = [...new Set(rows.map((row) => row.continent))].filter((name) => name !== null).sort();
    const providers = [...new Set(rows.map((row) => row.provider))].filter((name) => name !== null).sort();
    continent.draw(
      continents.map((name) => [name, say(name)]),
      filters.continent,
    );
    provider.draw(
      providers.map((name) => [name, providerName(name)]),
      filters.provider,
    );
    show(
      eu.element,
      rows.some((row) => row.eu),
    );
    eu.input.checked = filters.eu;
    near.input.checked = filters.near;
    near.input.disabled = !canBeNear && !filters.near;
    attr(
      near.element,
      'title',
      canBeNear ? say('Within 1,000 km of here') : say('Where here is on the map is not known'),
    );
  };
  return {
    element,
    draw,
    isOn: () => anyFilter(recalled(host).filters),
    clear: () => change(NO_FILTER),
  };
}

/**
 * @param {string} name
 * @param {(value: string) => void} changed
 */
function choice(name, changed) {
  const select = el('select', { 'aria-label': name });
  const element = el('span', { class: 'cbm-Select' }, select, icon('caret', ''));
  select.addEventListener('change', () => changed(select.value));
  /**
   * @param {[string, string][]} options
   * @param {string} value
   */
  const draw = (options, value) => {
    keyed(
      select,
      [/** @type {[string, string]} */ (['', name]), ...options],
      ([key]) => `=${key}`,
      ([key]) => el('option', { value: key }),
      (node, [, label]) => setText(node, label),
    );
    if (select.value !== value) select.value = value;
    show(element, options.length > 0);
  };
  return { element, draw };
}

/**
 * @param {string} name
 * @param {(on: boolean) => void} changed
 */
function check(name, changed) {
  const input = el('input', { type: 'checkbox' });
  input.addEventListener('change', () => changed(input.checked));
  return { element: el('label', { class: 'cbm-Check' }, input, name), input };
}
