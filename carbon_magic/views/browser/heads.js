// @ts-check
/*
 * The column heads of the comparison: each is a button that sorts by its column, and back again on a second press.
 */
import { choose, recalled } from './choices.js';
import { attr, button, el, setText, svg } from './dom.js';
import { CO2E } from './format.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./ratios.js').SortKey} SortKey */

/**
 * @param {Host} host
 * @param {() => void} after What to do once the order was changed.
 */
export function headNodes(host, after) {
  const say = host.say.bind(host);
  /** @type {[SortKey, string][]} */
  const columns = [
    ['name', say('Region')],
    ['intensity', 'g/kWh'],
    ['mass', `g ${CO2E}`],
    ['ratio', say('× here')],
  ];
  const element = el('div', { class: 'cbm-Row cbm-mod-head', role: 'row' });
  const cells = columns.map(([key, name]) => {
    const press = button(
      name,
      () => {
        const { sorting } = recalled(host);
        choose(host, { sorting: { key, down: sorting.key === key && !sorting.down } });
        after();
      },
      'cbm-Row-sort',
    );
    const arrow = svg('svg', { viewBox: '0 0 8 8', 'aria-hidden': 'true', class: 'cbm-Row-arrow' });
    arrow.append(svg('path', { d: 'M1 6h6L4 2z', fill: 'currentColor' }));
    const label = el('span', {}, name);
    press.replaceChildren(label, arrow);
    const cell = el('span', { role: 'columnheader' }, press);
    element.append(cell);
    return { key, cell, label };
  });
  /**
   * @param {string} massUnit
   * @param {boolean} isKnown Whether it is known where here is.
   */
  const drawHeads = (massUnit, isKnown) => {
    const { sorting } = recalled(host);
    for (const { key, cell, label } of cells) {
      if (key === 'mass') setText(label, `${massUnit} ${CO2E}`);
      if (key === 'ratio') setText(label, isKnown ? say('× here') : say('× world'));
      attr(cell, 'aria-sort', sorting.key !== key ? undefined : sorting.down ? 'descending' : 'ascending');
    }
  };
  return { element, draw: drawHeads };
}
