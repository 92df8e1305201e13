// @ts-check
/*
 * The cells by energy: what runs is pinned on top, then the four highest, the rest in one line, and what was spent
 * between cells. A row is a button that goes to its cell. "Show all" opens a list of fixed height that draws only the
 * rows that can be seen, so that thousands of cells cost no more than a dozen.
 */
import { DOMAINS } from './checked.js';
import { attr, button, el, keyed, setStyle, setText, show, watch } from './dom.js';
import { prompt } from './faces.js';
import { formats, NBSP, NOT_YET } from './format.js';

/** @typedef {import('./types.js').Cell} Cell */
/** @typedef {import('./types.js').Domain} Domain */
/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').State} State */
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
  const state = host.state();
  const count = formats(host.locale).number(state.count + state.running.length, 0);
  return open && state.count ? host.say('%1, highest first', count) : count;
}

/**
 * Highest first; a cell whose energy is not known comes last, of equals the earlier first.
 * @param {Iterable<Cell>} cells
 * @returns {Cell[]}
 */
export function byEnergy(cells) {
  return [...cells].sort(
    (a, b) => (b.energy_j?.[1] ?? -1) - (a.energy_j?.[1] ?? -1) || (a.execution_count ?? 0) - (b.execution_count ?? 0),
  );
}

/**
 * What a cell is called: its label, its first line, or nothing.
 * @param {Cell} cell
 * @param {Host} host
 * @returns {string}
 */
export function cellName(cell, host) {
  return cell.label || (host.excerpt?.(cell) ?? '');
}

/**
 * @param {HTMLElement} root
 * @param {Host} host
 * @returns {() => void}
 */
export function mountCells(root, host) {
  const say = host.say.bind(host);
  const format = formats(host.locale);
  const empty = el('p', { class: 'cbm-empty' }, say('No cell has run since tracking began. Run one and its cost appears here and under the cell.'));
  const top = el('ul', { class: 'cbm-Cells' });
  const spacer = el('ul', { class: 'cbm-Cells cbm-Cells-all' });
  const scroller = el('div', { class: 'cbm-Cells-scroller', role: 'group', 'aria-label': say('All cells, highest first'), hidden: true }, spacer);
  const more = button('', () => {
    all = !all;
    scroller.scrollTop = 0;
    draw();
  });
  root.append(empty, top, scroller, more);

  let all = false;
  /** @type {ReadonlyMap<string, Cell> | null} */
  let sortedFrom = null;
  /** @type {Cell[]} */
  let inOrder = [];

  const draw = () => {
    const state = host.state();
    if (sortedFrom !== state.cells) {
      sortedFrom = state.cells;
      inOrder = byEnergy(state.cells.values());
    }
    show(empty, !inOrder.length && !state.running.length);
    const many = inOrder.length > HIGHEST;
    if (!many) all = false;
    const highest = all ? [] : inOrder.slice(0, HIGHEST);
    const lines = [...state.running, ...highest].map(lineOf);
    const rest = all ? null : restLine(state, highest);
    const between = betweenLine(state);
    if (rest) lines.push(rest);
    if (between) lines.push(between);
    const longest = Math.max(...lines.map((line) => line.energy ?? 0), inOrder[0]?.energy_j?.[1] ?? 0);
    keyed(
      top,
      lines,
      (line) => line.key,
      create,
      (node, line) => update(node, line, longest, state),
    );
    show(more, many);
    setText(more, all ? say('Show fewer') : say('Show all %1', format.number(inOrder.length, 0)));
    attr(more, 'aria-expanded', String(all));
    show(scroller, all);
    if (all) drawSeen(longest, state);
  };

  /**
   * Only the rows that can be seen, and a few beyond.
   * @param {number} longest
   * @param {State} state
   */
  function drawSeen(longest, state) {
    setStyle(scroller, 'height', `${Math.min(LIST_PX, inOrder.length * ROW_PX)}px`);
    setStyle(spacer, 'height', `${inOrder.length * ROW_PX}px`);
    const first = Math.max(Math.floor(scroller.scrollTop / ROW_PX) - BEYOND, 0);
    const seen = inOrder.slice(first, first + LIST_PX / ROW_PX + 2 * BEYOND);
    // The row that has the focus stays, wherever the list was scrolled to.
    const focused = spacer.contains(document.activeElement) ? document.activeElement?.closest('li')?.getAttribute('data-key') : null;
    const places = new Map(seen.map((cell, index) => [cell.record_id, first + index]));
    if (focused && !places.has(focused)) {
      const at = inOrder.findIndex((cell) => cell.record_id === focused);
      if (at >= 0) {
        places.set(focused, at);
        if (at < first) seen.unshift(inOrder[at]);
        else seen.push(inOrder[at]);
      }
    }
    keyed(
      spacer,
      seen.map(lineOf),
      (line) => line.key,
      create,
      (node, line) => {
        const place = places.get(line.key) ?? 0;
        setStyle(node, 'top', `${place * ROW_PX}px`);
        attr(node, 'aria-posinset', place + 1);
        attr(node, 'aria-setsize', inOrder.length);
        update(node, line, longest, state);
      },
    );
  }

  scroller.addEventListener('scroll', draw, { passive: true });
  scroller.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    const row = event.target instanceof Element ? event.target.closest('li') : null;
    const next = event.key === 'ArrowDown' ? row?.nextElementSibling : row?.previousElementSibling;
    const target = next?.querySelector('button');
    if (!target) return;
    event.preventDefault();
    target.focus();
  });

  /**
   * @param {Cell} cell
   * @returns {Line}
   */
  function lineOf(cell) {
    const energy = cell.energy_j?.[1] ?? null;
    return { key: cell.record_id, cell, words: '', extra: '', energy, domains: cell.domains, about: cell.below_resolution };
  }

  /**
   * @param {State} state
   * @param {Cell[]} highest
   * @returns {Line | null}
   */
  function restLine(state, highest) {
    const count = state.count - highest.length;
    if (count <= 0) return null;
    const others = inOrder.slice(highest.length);
    /** @type {Line['domains']} */
    const domains = {};
    for (const cell of others) for (const domain of DOMAINS) domains[domain] = (domains[domain] ?? 0) + (cell.domains[domain] ?? 0);
    const spent = highest.reduce((sum, cell) => sum + (cell.energy_j?.[1] ?? 0), 0);
    // Cells that ran at once are never added up: each holds what the others used as well.
    const sum = [...others, ...highest].some((cell) => cell.concurrent) || state.cells_energy_j === null ? null : Math.max(state.cells_energy_j - spent, 0);
    return {
      key: 'rest',
      cell: null,
      words: count === 1 ? say('1 more cell') : say('%1 more cells', format.number(count, 0)),
      extra: '',
      energy: sum,
      domains: sum === null ? {} : domains,
      about: false,
    };
  }

  /**
   * @param {State} state
   * @returns {Line | null}
   */
  function betweenLine(state) {
    const between = state.totals?.between_j;
    if (!between || (!state.count && !state.running.length)) return null;
    return { key: 'between', cell: null, words: say('Between cells'), extra: '', energy: between[1], domains: shareOfDomains(state, between[1]), about: false };
  }

  /** @param {Line} line */
  function create(line) {
    const spans = ['prompt', 'code', 'energy', 'share', 'bar'].map((part) => el('span', { class: `cbm-Cells-${part}` }));
    attr(spans[4], 'aria-hidden', 'true');
    const { cell } = line;
    const reveal = cell && host.act.reveal;
    const inside = el(reveal ? 'button' : 'div', reveal ? { type: 'button' } : {}, ...spans);
    if (reveal) inside.addEventListener('click', () => host.act.reveal?.(latest(cell)));
    return el('li', {}, inside);
  }

  /** @param {Cell} cell */
  function latest(cell) {
    const state = host.state();
    return state.cells.get(cell.record_id) ?? state.running.find((other) => other.record_id === cell.record_id) ?? cell;
  }

  /**
   * @param {HTMLElement} node
   * @param {Line} line
   * @param {number} longest
   * @param {State} state
   */
  function update(node, line, longest, state) {
    const inside = /** @type {HTMLElement} */ (node.firstElementChild);
    const [number, code, energy, share, bar] = /** @type {HTMLElement[]} */ (Array.from(inside.children));
    const { cell } = line;
    const running = cell?.status === 'running';
    attr(node, 'class', running ? 'cbm-mod-running' : '');
    const name = cell ? cellName(cell, host) : line.words;
    setText(number, cell ? prompt(cell.execution_count) : '');
    setText(code, name);
    attr(code, 'class', cell && !cell.label ? 'cbm-Cells-code' : 'cbm-Cells-code cbm-mod-words');
    attr(code, 'title', cell && name ? name : undefined);
    const figure = line.energy === null ? NOT_YET : (line.about ? format.aboutEnergy : format.energy)(line.energy);
    setText(energy, figure);
    attr(energy, 'class', cell?.provenance && cell.provenance !== 'measured' ? 'cbm-Cells-energy cbm-mod-exception' : 'cbm-Cells-energy');
    const total = state.totals?.energy_j?.[1] ?? 0;
    const part = line.energy !== null && total > 0 ? format.share(Math.min(line.energy / total, 1)) : '';
    setText(share, part);
    drawBar(bar, line, longest);
    if (cell) label(inside, cell, name, figure, part);
  }

  /**
   * @param {HTMLElement} inside
   * @param {Cell} cell
   * @param {string} name
   * @param {string} figure
   * @param {string} part
   */
  function label(inside, cell, name, figure, part) {
    const what = cell.status === 'running' ? say('Running cell %1', prompt(cell.execution_count)) : say('Cell %1', prompt(cell.execution_count));
    const ended = cell.status === 'error' ? say('ended with an error') : cell.status === 'interrupted' ? say('interrupted') : '';
    const words = [name ? `${what}: ${name}` : what, figure.replace(NBSP, ' '), part && say('%1 of the session', part), ended];
    const sentence = `${words.filter(Boolean).join(', ')}.`;
    attr(inside, 'aria-label', host.act.reveal ? `${sentence} ${say('Go to cell.')}` : sentence);
    if (!host.act.reveal) attr(inside, 'role', 'group');
    attr(inside, 'title', host.act.reveal ? say('Go to cell %1', prompt(cell.execution_count)) : undefined);
  }

  return watch(root, host, draw);
}

/**
 * What is spent between cells has no split of its own: it takes that of the session without its cells.
 * @param {State} state
 * @param {number} energy
 * @returns {Partial<Record<Domain, number>>}
 */
function shareOfDomains(state, energy) {
  /** @type {Partial<Record<Domain, number>>} */
  const left = {};
  let sum = 0;
  for (const domain of DOMAINS) {
    let value = state.totals?.domains[domain]?.energy_j[1] ?? 0;
    for (const cell of [...state.cells.values(), ...state.running]) value -= cell.domains[domain] ?? 0;
    left[domain] = Math.max(value, 0);
    sum += Math.max(value, 0);
  }
  for (const domain of DOMAINS) left[domain] = sum > 0 ? ((left[domain] ?? 0) / sum) * energy : 0;
  return left;
}

/**
 * The bar: its length by energy, split by domain; of a split that is not known a plain one.
 * @param {HTMLElement} bar
 * @param {Line} line
 * @param {number} longest
 */
function drawBar(bar, line, longest) {
  const parts = DOMAINS.map((domain) => /** @type {const} */ ([domain, line.domains[domain] ?? 0])).filter(([, energy]) => energy > 0);
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
