// @ts-check
/*
 * What if the same energy had been drawn from another grid: "here" pinned on top, the others ranked below it, with a
 * search over all regions, filters, and the lowest of what is listed. All of it happens in the browser, at once.
 */
import { choose, energies, listing, recalled } from './choices.js';
import { attr, button, el, icon, keyed, setStyle, setText, show, watch } from './dom.js';
import { distanceKnown, whatIfFilters } from './filters.js';
import { formats, NBSP } from './format.js';
import { headNodes } from './heads.js';
import { JOULES_PER_KWH, lowest } from './ratios.js';
import { labelledSteps, placeOn, scaleOf, stepLabel } from './scale.js';
import { mountSearch } from './search.js';
import { tipNodes, tooltip, unclear } from './tip.js';
import { drawRow, rowNode } from './whatrow.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./choices.js').Listing} Listing */
/** @typedef {import('./ratios.js').Compared} Compared */

const AT_FIRST_SHOWN = 30;

/**
 * The heading's answer: from the least to the most.
 * @param {Host} host
 * @returns {string}
 */
export function whatIfAnswer(host) {
  const { totals, region } = host.state();
  if (!region) return '';
  if (region.id === null || region.source === 'unknown') return host.say('here: world');
  if (!totals?.energy_j) return host.say('no energy yet');
  const ratios = listing(host)
    .rows.map((item) => item.ratio)
    .filter((ratio) => ratio !== null);
  if (!ratios.length) return '';
  const format = formats(host.locale);
  const least = format.ratio(Math.min(...ratios));
  return ratios.length > 1 ? host.say('%1 to %2', least, format.ratio(Math.max(...ratios))) : least;
}

/**
 * @param {HTMLElement} root
 * @param {Host} host
 * @returns {() => void}
 */
export function mountWhatIf(root, host) {
  const say = host.say.bind(host);
  const format = formats(host.locale);
  const view = el('div', { class: 'cbm-WhatIf' });
  root.append(view);
  const search = el('div');
  view.append(search);
  mountSearch(search, host, {
    label: say('Search regions by name or id'),
    hint: say('Enter adds the row. Esc closes.'),
    pick: (row) => {
      const { regions } = recalled(host);
      choose(host, { regions: [...regions.filter((id) => id !== row.id), row.id] });
      draw();
    },
  });
  const filters = whatIfFilters(host, () => {
    shown = AT_FIRST_SHOWN;
    draw();
  });
  const bestOf = el('span', { class: 'cbm-mod-roomy' });
  const best = el('b');
  const bestAfter = el('span');
  const bestLine = el('span', {}, say('Lowest'), bestOf, ': ', best, bestAfter);
  const whose = el('select', {
    class: 'cbm-Energy',
    'aria-label': say('Energy to compare'),
    title: say('Whole session, a label or one cell'),
  });
  whose.addEventListener('change', () => {
    energyKey = whose.value;
    draw();
  });
  view.append(
    filters.element,
    el('div', { class: 'cbm-Best' }, bestLine, el('span', { class: 'cbm-Energy-box' }, whose, icon('caret'))),
  );

  const heads = headNodes(host, () => draw());
  const axis = el('div', { class: 'cbm-Axis', 'aria-hidden': 'true' });
  const list = el('div', { role: 'rowgroup' });
  const table = el('div', { class: 'cbm-Table', role: 'table' }, heads.element, axis, list);
  const more = button('', () => {
    shown = Infinity;
    draw();
  });
  const nothing = el(
    'p',
    { class: 'cbm-empty', hidden: true },
    say('No region matches these filters.'),
    ' ',
    button(say('Clear'), () => filters.clear()),
  );
  const note = el('div', { class: 'cbm-small cbm-WhatIf-note' });
  view.append(table, nothing, more, note);

  let energyKey = 'session';
  let shown = AT_FIRST_SHOWN;
  /** @type {Map<string, Compared>} */
  const byRow = new Map();
  /** @type {Listing} */
  let now = listing(host);
  /** @type {number | null} */
  let energy = null;

  const tip = tooltip(view, (row) => {
    const item = byRow.get(row.getAttribute('data-key') ?? '');
    return item ? tipNodes(host, item, now.here, energy) : [];
  });

  const draw = () => {
    now = listing(host);
    const { here, pinned, rows, isFiltered } = now;
    drawEnergies();
    filters.draw(distanceKnown(here));
    const listed = rows.slice(0, shown);
    const all = pinned ? [pinned, ...listed] : listed;
    const scale = scaleOf(
      all.flatMap(({ whisker }) => (whisker ? [/** @type {[number, number]} */ ([whisker[0], whisker[2]])] : [])),
    );
    drawScale(scale);
    const scaledBy = pinned ?? lowest(rows);
    const prefix = energy === null || !scaledBy ? 2 : format.massRange(times(scaledBy.grams[1], energy)).prefix;
    heads.draw(format.massUnit(prefix), here?.known !== false);
    byRow.clear();
    // A row that can be removed is another node than one that is only listed.
    const keyOf = (/** @type {Compared} */ item) =>
      item === pinned ? 'here' : `${isFiltered ? 'listed' : 'chosen'} ${item.row.id}`;
    for (const item of all) byRow.set(keyOf(item), item);
    keyed(
      list,
      all,
      keyOf,
      (item) => rowNode(host, item === pinned, item === pinned || isFiltered ? null : remove),
      (node, item) => drawRow(node, item, { here, scale, energy, prefix, isHere: item === pinned }, host),
    );
    drawBest();
    show(nothing, isFiltered && !rows.length);
    show(more, rows.length > listed.length);
    setText(more, say('Show all %1', format.number(rows.length, 0)));
    setText(note, noteWords());
    attr(table, 'aria-label', say('The same energy on other grids'));
    attr(table, 'aria-rowcount', rows.length + (pinned ? 2 : 1));
    const about = tip.row();
    if (about && !about.isConnected) tip.hide();
  };

  /**
   * @param {number} grams For each kWh.
   * @param {number} joules
   * @returns {[number, number, number]}
   */
  function times(grams, joules) {
    const value = (grams * joules) / JOULES_PER_KWH;
    return [value, value, value];
  }

  function drawEnergies() {
    const choicesOfEnergy = energies(host);
    const chosen = choicesOfEnergy.find(({ key }) => key === energyKey) ?? choicesOfEnergy[0];
    energyKey = chosen.key;
    energy = chosen.energy;
    keyed(
      whose,
      choicesOfEnergy,
      ({ key }) => key,
      ({ key }) => el('option', { value: key }),
      (node, { name }) => setText(node, name),
    );
    if (whose.value !== energyKey) whose.value = energyKey;
  }

  /** @param {import('./scale.js').Scale} scale */
  function drawScale(scale) {
    const { here } = now;
    show(axis, here !== null);
    if (!here) return;
    const base = here.grams[1];
    const places = here.grams.map((grams) => placeOn(scale, base > 0 ? grams / base : 1));
    ['low', 'best', 'high'].forEach((name, index) => setStyle(table, `--here-${name}`, `${places[index].toFixed(2)}%`));
    const steps = labelledSteps(scale);
    const every = steps.length > 1 ? steps[1] - steps[0] : 1;
    keyed(
      axis,
      steps,
      (step) => String(step),
      (step) => el('span', { class: step === 0 ? 'cbm-mod-here' : '' }, step === 0 ? say('here') : stepLabel(step)),
      (node, step) => {
        setStyle(node, 'left', `${placeOn(scale, 2 ** step).toFixed(2)}%`);
        node.classList.toggle('cbm-mod-odd', (step / every) % 2 !== 0);
      },
    );
  }

  function drawBest() {
    const { pinned, rows } = now;
    const candidates = pinned && now.here?.known ? [pinned, ...rows] : rows;
    const first = lowest(candidates);
    // Of equals here: nobody would gain by going.
    const least = first && pinned && now.here?.known && pinned.grams[1] <= first.grams[1] ? pinned : first;
    show(bestLine, least !== null);
    if (!least) return;
    setText(bestOf, ` ${say('of %1', format.number(candidates.length, 0))}`);
    const isHere = least === pinned;
    const ratio = least.ratio === null ? format.intensity(least.row.intensity[1]) : format.ratio(least.ratio);
    setText(
      best,
      isHere ? `${least.row.name}, ${say('here')}` : `${least.row.name} ${ratio}`.replace(/ (?=[^ ]*$)/, NBSP),
    );
    const hollow = least.overlaps && !isHere;
    attr(best, 'class', hollow ? 'cbm-mod-overlap' : '');
    setText(bestAfter, hollow ? `, ${unclear(least, say)}` : '');
  }

  function noteWords() {
    if (energy === null) return say('g/kWh only, no grams yet');
    const years = [...now.rows, ...(now.pinned ? [now.pinned] : [])]
      .map((item) => item.row.year)
      .filter((year) => year !== null);
    const from = Math.min(...years);
    const to = Math.max(...years);
    const span = !years.length ? '' : from === to ? String(from) : `${from}–${to}`;
    return say(
      'Each step of the scale doubles. Energy is the same in every row, so whiskers show only each grid’s range; the shade is the range here. Annual averages, life cycle, %1.',
      span,
    );
  }

  /** @param {HTMLElement} row */
  function remove(row) {
    const id = byRow.get(row.getAttribute('data-key') ?? '')?.row.id;
    const neighbour = row.nextElementSibling ?? row.previousElementSibling;
    const hadFocus = row.contains(document.activeElement);
    tip.hide();
    choose(host, { regions: recalled(host).regions.filter((other) => other !== id) });
    draw();
    if (hadFocus && neighbour instanceof HTMLElement && neighbour.isConnected) neighbour.focus();
  }

  list.addEventListener('keydown', (event) => {
    const row =
      event.target instanceof HTMLElement ? /** @type {HTMLElement | null} */ (event.target.closest('.cbm-Row')) : null;
    if (!row) return;
    const step =
      event.key === 'ArrowDown' ? row.nextElementSibling : event.key === 'ArrowUp' ? row.previousElementSibling : null;
    if (step instanceof HTMLElement) step.focus();
    else if (event.key === 'Delete' && row.querySelector('.cbm-Row-remove')) remove(row);
    else if (event.key === 'Escape' && tip.row()) tip.hide();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const rowUnder = (/** @type {Event} */ event) =>
    event.target instanceof Element ? /** @type {HTMLElement | null} */ (event.target.closest('.cbm-Row')) : null;
  const tell = (/** @type {Event} */ event) => {
    const row = rowUnder(event);
    if (row) tip.showFor(row);
  };
  list.addEventListener('mouseover', tell);
  list.addEventListener('focusin', tell);
  list.addEventListener('mouseleave', () => {
    const focused = list.contains(document.activeElement) ? document.activeElement?.closest('.cbm-Row') : null;
    if (focused instanceof HTMLElement) tip.showFor(focused);
    else tip.hide();
  });
  list.addEventListener('focusout', () => tip.hide());

  return watch(root, host, draw);
}
