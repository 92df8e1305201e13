// @ts-check
/*
 * The cells by energy: what runs is pinned on top, then the four highest, the rest in one line, and what was spent
 * between cells. "Show all" opens a list of fixed height that draws only the rows that can be seen, so that thousands of
 * cells cost no more than a dozen.
 */
import { cellRow, drawCellRow, lineOf } from './cellrow.js';
import { DOMAINS } from './checked.js';
import { attr, button, el, keyed, setStyle, setText, show, watch } from './dom.js';
import { formats } from './format.js';
import { ranked, sumOfDomains } from './ranking.js';

/** @typedef {import('./types.js').Cell} Cell */
/** @typedef {import('./types.js').Domain} Domain */
/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').State} State */
/** @typedef {import('./cellrow.js').Line} Line */

const HIGHEST = 4;
/** Of a row in the long list, as panel.css sets it. */
const ROW_PX = 32;
const LIST_PX = 8 * ROW_PX;
const BEYOND = 4;

/**
 * The heading's answer: how many there are.
 * @param {Host} host
 * @param {boolean} open
 * @returns {string}
 */
export function cellsAnswer(host, open) {
  const { count, running } = host.state();
  const all = formats(host.locale).number(count + running.length, 0);
  return open && count ? host.say('%1, highest first', all) : all;
}

/**
 * @param {HTMLElement} root
 * @param {Host} host
 * @returns {() => void}
 */
export function mountCells(root, host) {
  const say = host.say.bind(host);
  const format = formats(host.locale);
  const empty = el(
    'p',
    { class: 'cbm-empty' },
    say('No cell has run since tracking began. Run one and its cost appears here and under the cell.'),
  );
  const top = el('ul', { class: 'cbm-Cells' });
  const listed = el('ul', { class: 'cbm-Cells cbm-Cells-all' });
  const scroller = el('div', { class: 'cbm-Cells-scroller', role: 'group', hidden: true }, listed);
  attr(scroller, 'aria-label', say('All cells, highest first'));
  const more = button('', () => {
    all = !all;
    scroller.scrollTop = 0;
    draw();
  });
  root.append(empty, top, scroller, more);
  let all = false;

  const draw = () => {
    const state = host.state();
    const { ordered } = ranked(state.cells);
    show(empty, !ordered.length && !state.running.length);
    const many = ordered.length > HIGHEST;
    if (!many) all = false;
    const highest = all ? [] : ordered.slice(0, HIGHEST);
    const summed = [all ? null : restLine(state, highest, host), betweenLine(state, host)].filter(
      (line) => line !== null,
    );
    const lines = [...[...state.running, ...highest].map(lineOf), ...summed];
    const longest = Math.max(...lines.map((line) => line.energy ?? 0), ordered[0]?.energy_j?.[1] ?? 0);
    keyed(
      top,
      lines,
      (line) => line.key,
      (line) => cellRow(line, host),
      (node, line) => drawCellRow(node, line, longest, host),
    );
    show(more, many);
    // Of a long session a page that came late knows only the dearest and the latest.
    const known = format.number(ordered.length, 0);
    const whole = ordered.length >= state.count;
    const offer = whole ? say('Show all %1', known) : say('Show %1 of %2', known, format.number(state.count, 0));
    setText(more, all ? say('Show fewer') : offer);
    attr(more, 'aria-expanded', String(all));
    show(scroller, all);
    if (all) drawSeen(ordered, longest);
  };

  /**
   * Only the rows that can be seen, and a few beyond.
   * @param {Cell[]} ordered
   * @param {number} longest
   */
  function drawSeen(ordered, longest) {
    setStyle(scroller, 'height', `${Math.min(LIST_PX, ordered.length * ROW_PX)}px`);
    setStyle(listed, 'height', `${ordered.length * ROW_PX}px`);
    const first = Math.max(Math.floor(scroller.scrollTop / ROW_PX) - BEYOND, 0);
    const seen = ordered.slice(first, first + LIST_PX / ROW_PX + 2 * BEYOND);
    const places = new Map(seen.map((cell, index) => [cell.record_id, first + index]));
    // The row that has the focus stays, wherever the list was scrolled to.
    const focused = listed.contains(document.activeElement) ? document.activeElement?.closest('li') : null;
    const key = focused?.getAttribute('data-key');
    if (key && !places.has(key)) {
      const at = ordered.findIndex((cell) => cell.record_id === key);
      if (at >= 0) {
        places.set(key, at);
        if (at < first) seen.unshift(ordered[at]);
        else seen.push(ordered[at]);
      }
    }
    keyed(
      listed,
      seen.map(lineOf),
      (line) => line.key,
      (line) => cellRow(line, host),
      (node, line) => {
        const place = places.get(line.key) ?? 0;
        setStyle(node, 'top', `${place * ROW_PX}px`);
        attr(node, 'aria-posinset', place + 1);
        attr(node, 'aria-setsize', ordered.length);
        drawCellRow(node, line, longest, host);
      },
    );
  }

  scroller.addEventListener('scroll', draw, { passive: true });
  root.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    const row = event.target instanceof Element ? event.target.closest('.cbm-Cells li') : null;
    const next = event.key === 'ArrowDown' ? row?.nextElementSibling : row?.previousElementSibling;
    const target = next?.querySelector('button');
    if (!target) return;
    event.preventDefault();
    target.focus();
  });
  return watch(root, host, draw);
}

/**
 * @param {State} state
 * @param {Cell[]} highest
 * @param {Host} host
 * @returns {Line | null}
 */
function restLine(state, highest, host) {
  const count = state.count - highest.length;
  if (count <= 0) return null;
  const { domains, concurrent } = ranked(state.cells);
  const above = sumOfDomains(highest);
  const spent = highest.reduce((sum, cell) => sum + (cell.energy_j?.[1] ?? 0), 0);
  // Cells that ran at once are never added up: each holds what the others used as well.
  const energy = concurrent || state.cells_energy_j === null ? null : Math.max(state.cells_energy_j - spent, 0);
  return {
    key: 'rest',
    cell: null,
    words: count === 1 ? host.say('1 more cell') : host.say('%1 more cells', formats(host.locale).number(count, 0)),
    extra: '',
    energy,
    domains: byDomain((domain) => (domains[domain] ?? 0) - (above[domain] ?? 0)),
    about: false,
  };
}

/**
 * What is spent between cells has no split of its own: it takes that of the session without its cells.
 * @param {State} state
 * @param {Host} host
 * @returns {Line | null}
 */
function betweenLine(state, host) {
  const between = state.totals?.between_j;
  if (!between || (!state.count && !state.running.length)) return null;
  const { domains: ended, seconds, concurrent } = ranked(state.cells);
  const running = sumOfDomains(state.running);
  // Known only where every cell is, and none ran beside another.
  const whole = state.cells.size === state.count && !concurrent && state.running.length < 2;
  const busy = seconds + state.running.reduce((sum, cell) => sum + cell.duration_s, 0);
  const idle = Math.floor(((state.totals?.duration_s ?? 0) - busy) / 60) * 60;
  return {
    key: 'between',
    cell: null,
    words: host.say('Between cells'),
    extra: whole && idle > 0 ? `, ${formats(host.locale).duration(idle)}` : '',
    energy: between[1],
    domains: byDomain(
      (domain) => (state.totals?.domains[domain]?.energy_j[1] ?? 0) - (ended[domain] ?? 0) - (running[domain] ?? 0),
    ),
    about: false,
  };
}

/**
 * @param {(domain: Domain) => number} energy
 * @returns {Partial<Record<Domain, number>>}
 */
function byDomain(energy) {
  return Object.fromEntries(DOMAINS.map((domain) => [domain, Math.max(energy(domain), 0)]));
}
