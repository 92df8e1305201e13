// @ts-check
/*
 * The search over all regions: a combobox with a listbox under it. The ten best are listed, the part that matched in
 * bold, by text alone. Arrows choose, Enter takes, Esc closes.
 */
import { attr, button, el, icon, keyed, setText, show } from './dom.js';
import { formats } from './format.js';
import { folded, matches, rowsFor } from './table.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./table.js').Row} Row */
/**
 * @typedef {object} SearchOptions
 * @property {string} label
 * @property {string} hint What Enter and Esc do.
 * @property {(row: Row) => void} pick
 * @property {() => void} [leave] Esc in an empty box.
 */

const MOST_OPTIONS = 10;
const LONGEST_QUERY = 100;

/**
 * @param {HTMLElement} root
 * @param {Host} host
 * @param {SearchOptions} options
 * @returns {{focus: () => void, clear: () => void}}
 */
export function mountSearch(root, host, options) {
  const say = host.say.bind(host);
  const format = formats(host.locale);
  const id = `cbm-search-${Math.random().toString(36).slice(2)}`;
  const input = el('input', {
    type: 'text',
    role: 'combobox',
    autocomplete: 'off',
    spellcheck: 'false',
    maxlength: LONGEST_QUERY,
    'aria-label': options.label,
    'aria-autocomplete': 'list',
    'aria-expanded': 'false',
    'aria-controls': id,
  });
  const list = el('ul', { class: 'cbm-Options', role: 'listbox', id, 'aria-label': say('Regions') });
  const none = el('span');
  const clearButton = button(say('Clear'), () => {
    clear();
    input.focus();
  });
  const nothing = el('div', { class: 'cbm-Options-none', hidden: true }, none, ' ', clearButton);
  const foot = el('div', { class: 'cbm-Options-foot cbm-small' });
  const popup = el('div', { class: 'cbm-Popup', hidden: true }, list, nothing, foot);
  root.append(el('div', { class: 'cbm-Search' }, icon('search'), input, popup));

  /** @type {Row[]} */
  let found = [];
  let active = 0;

  const draw = () => {
    setPlaceholder();
    const asked = input.value.trim();
    const all = asked ? matches(rowsFor(host).values(), asked) : [];
    found = all.slice(0, MOST_OPTIONS);
    active = Math.min(active, Math.max(found.length - 1, 0));
    keyed(
      list,
      found,
      (row) => row.id,
      (row) => {
        const node = el(
          'li',
          { role: 'option' },
          el('span', { class: 'cbm-Options-name' }),
          el('span', { class: 'cbm-small' }),
        );
        // The box keeps the focus: pressing the mouse on an option must not take it away.
        node.addEventListener('mousedown', (event) => event.preventDefault());
        node.addEventListener('click', () => take(row));
        return node;
      },
      (node, row, index) => {
        attr(node, 'id', `${id}-${index}`);
        attr(node, 'aria-selected', String(index === active));
        const name = row.where ? `${row.name}, ${row.where}` : row.name;
        node.firstElementChild.replaceChildren(...highlighted(name, asked));
        attr(node.firstElementChild, 'title', `${name} (${row.id})`);
        setText(node.lastElementChild, format.intensity(row.intensity[1]));
      },
    );
    show(popup, asked !== '');
    show(list, found.length > 0);
    show(nothing, asked !== '' && !found.length);
    show(foot, found.length > 0);
    const spelled = asked.length > 40 ? `${asked.slice(0, 39)}…` : asked;
    setText(none, say('No region matches “%1”. Try a country, a state or a cloud region’s id.', spelled));
    setText(
      foot,
      `${say('%1 of %2.', format.number(all.length, 0), format.number(rowsFor(host).size, 0))} ${options.hint}`,
    );
    attr(input, 'aria-expanded', String(found.length > 0));
    attr(input, 'aria-activedescendant', found.length ? `${id}-${active}` : undefined);
    list.querySelector('[aria-selected=true]')?.scrollIntoView?.({ block: 'nearest' });
  };

  function setPlaceholder() {
    attr(input, 'placeholder', say('Search %1 regions', format.number(rowsFor(host).size, 0)));
  }

  /** @param {Row} row */
  function take(row) {
    clear();
    options.pick(row);
  }

  function clear() {
    input.value = '';
    active = 0;
    draw();
  }

  input.addEventListener('focus', setPlaceholder);
  input.addEventListener('input', () => {
    active = 0;
    draw();
  });
  input.addEventListener('blur', (event) => {
    if (!(event.relatedTarget instanceof Node && popup.contains(event.relatedTarget))) show(popup, false);
  });
  input.addEventListener('click', () => draw());
  input.addEventListener('keydown', (event) => {
    if (event.isComposing) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      if (!found.length) return;
      active = (active + (event.key === 'ArrowDown' ? 1 : -1) + found.length) % found.length;
      draw();
    } else if (event.key === 'Enter' && found.length && input.value.trim()) take(found[active]);
    else if (event.key === 'Escape' && (input.value || options.leave)) {
      if (input.value) clear();
      else options.leave?.();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  draw();
  return { focus: () => input.focus(), clear };
}

/**
 * The text with each part that matches in bold.
 * @param {string} text
 * @param {string} asked
 * @returns {(string | Node)[]}
 */
export function highlighted(text, asked) {
  const key = folded(asked.trim());
  const at = key ? folded(text).indexOf(key) : -1;
  if (at < 0) return [text];
  return [text.slice(0, at), el('b', {}, text.slice(at, at + key.length)), text.slice(at + key.length)];
}
