// @ts-check
/*
 * The few ways in which the views touch the page. Whatever comes from a notebook, a kernel or a table becomes text, never
 * markup. Nodes are made once and then kept: a tick changes the texts, classes and lengths that differ, so that focus,
 * selection and scrolling survive it. A view that nobody can see is not drawn.
 */

/** @typedef {import('./types.js').Host} Host */
/** @typedef {string | Node | null | undefined | false} Child */

const SVG = 'http://www.w3.org/2000/svg';
const LINE = {
  fill: 'none',
  stroke: 'currentColor',
  'stroke-width': '1.4',
  'stroke-linecap': 'round',
  'stroke-linejoin': 'round',
};
const DOT = { fill: 'currentColor', r: '1.3', cx: '8' };

/** @type {Record<string, [string, Record<string, string>][]>} */
const ICONS = {
  out: [['path', { ...LINE, d: 'M9.5 2.8h3.7v3.7M13 3 8.2 7.8M12 9.5v3.7H2.8V4H6.5' }]],
  menu: [
    ['circle', { ...DOT, cy: '3.5' }],
    ['circle', { ...DOT, cy: '8' }],
    ['circle', { ...DOT, cy: '12.5' }],
  ],
  caret: [['path', { ...LINE, d: 'M4.5 6.5 8 10l3.5-3.5' }]],
  place: [
    ['path', { ...LINE, d: 'M8 14.2S3.3 9.6 3.3 6.4a4.7 4.7 0 0 1 9.4 0C12.7 9.6 8 14.2 8 14.2Z' }],
    ['circle', { ...LINE, cx: '8', cy: '6.4', r: '1.6' }],
  ],
  equals: [['path', { ...LINE, d: 'M3 6.2h10M3 9.8h10' }]],
  search: [
    ['circle', { ...LINE, cx: '7', cy: '7', r: '4.2' }],
    ['path', { ...LINE, d: 'm10.2 10.2 3.3 3.3' }],
  ],
  table: [['path', { ...LINE, d: 'M2.8 3.3h10.4v9.4H2.8ZM2.8 6.5h10.4M2.8 9.6h10.4M6.6 6.5v6.2' }]],
  close: [['path', { ...LINE, d: 'm4 4 8 8M12 4l-8 8' }]],
};

/**
 * An element with its attributes and children; strings become text. A boolean attribute is present or not.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | boolean | undefined>} [attributes]
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) attr(node, name, value);
  for (const child of children) if (child) node.append(child);
  return node;
}

/**
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/**
 * @param {keyof typeof ICONS} name
 * @param {string} [className]
 * @returns {SVGElement}
 */
export function icon(name, className = 'cbm-icon') {
  const node = svg('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true', class: className });
  for (const [tag, attributes] of ICONS[name]) node.append(svg(tag, attributes));
  return node;
}

/**
 * A button that looks like a link, or with a class of its own.
 * @param {string} label
 * @param {() => void} press
 * @param {string} [className]
 * @returns {HTMLButtonElement}
 */
export function button(label, press, className = 'cbm-link') {
  const node = el('button', { type: 'button', class: className }, label);
  node.addEventListener('click', press);
  return node;
}

/**
 * Sets a text where it differs.
 * @param {Node} node
 * @param {string} value
 */
export function setText(node, value) {
  const { firstChild } = node;
  // A text in its place is only laid out anew; a new node is also styled, and its neighbours are.
  if (firstChild instanceof Text && !firstChild.nextSibling && value) {
    if (firstChild.data !== value) firstChild.data = value;
  } else if (node.textContent !== value) node.textContent = value;
}

/**
 * Sets an attribute where it differs; false and undefined take it away.
 * @param {Element} node
 * @param {string} name
 * @param {string | number | boolean | undefined} value
 */
export function attr(node, name, value) {
  if (value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const text = value === true ? '' : String(value);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

/**
 * Sets a style's custom property or length where it differs.
 * @param {HTMLElement | SVGElement} node
 * @param {string} name
 * @param {string} value
 */
export function setStyle(node, name, value) {
  if (node.style.getPropertyValue(name) !== value) node.style.setProperty(name, value);
}

/**
 * @param {Element} node
 * @param {boolean} shown
 */
export function show(node, shown) {
  attr(node, 'hidden', !shown);
}

/**
 * Makes `parent` hold one node for each item, in order: nodes are made once for each key, updated, moved only where they
 * must be, and the focus stays where it was.
 * @template Item
 * @param {HTMLElement | SVGElement} parent
 * @param {readonly Item[]} items
 * @param {(item: Item, index: number) => string} keyOf
 * @param {(item: Item) => HTMLElement | SVGElement} create
 * @param {(node: any, item: Item, index: number) => void} update
 */
export function keyed(parent, items, keyOf, create, update) {
  const focused = document.activeElement;
  const wanted = new Set(items.map(keyOf));
  /** @type {Map<string, HTMLElement | SVGElement>} */
  const kept = new Map();
  // What goes is taken out first: otherwise each node behind it would be moved.
  for (const child of /** @type {(HTMLElement | SVGElement)[]} */ (Array.from(parent.children))) {
    const key = child.getAttribute('data-key') ?? '';
    if (wanted.has(key)) kept.set(key, child);
    else child.remove();
  }
  /** @type {Element | null} */
  let last = null;
  items.forEach((item, index) => {
    const key = keyOf(item, index);
    let node = kept.get(key);
    if (!node) {
      node = create(item);
      node.setAttribute('data-key', key);
    }
    update(node, item, index);
    const next = last ? last.nextElementSibling : parent.firstElementChild;
    if (next !== node) parent.insertBefore(node, next);
    last = node;
  });
  if (focused !== document.activeElement && focused instanceof HTMLElement && focused.isConnected) {
    focused.focus({ preventScroll: true });
  }
}

/** @type {Set<() => void>} */
const due = new Set();

/**
 * At the next frame, once, and together with all others that wait for it: each frame that is asked for costs something.
 * @param {() => void} draw
 */
export function atNextFrame(draw) {
  if (!due.size) {
    requestAnimationFrame(() => {
      const now = [...due];
      due.clear();
      for (const one of now) {
        try {
          one();
        } catch (error) {
          // Of one view; the others are drawn nevertheless.
          reportError(error);
        }
      }
    });
  }
  due.add(draw);
}

/**
 * Draws now and after each change of the host's state, at most once a frame and only while `root` can be seen.
 * @param {HTMLElement} root
 * @param {Host} host
 * @param {() => void} draw
 * @returns {() => void} Ends it.
 */
export function watch(root, host, draw) {
  let stale = false;
  // What is hidden has no width. Asking for it here would have the browser lay out the page between two views.
  let visible = true;
  const drawSeen = () => {
    stale = !visible;
    if (visible) draw();
  };
  const later = () => atNextFrame(drawSeen);
  const unsubscribe = host.subscribe(later);
  const sizes = new ResizeObserver(([entry]) => {
    visible = entry.contentRect.width > 0;
    if (visible && stale) later();
  });
  sizes.observe(root);
  draw();
  return () => {
    unsubscribe();
    sizes.disconnect();
    visible = false;
    due.delete(drawSeen);
  };
}
