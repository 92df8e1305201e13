// @ts-check
/*
 * The host that a widget gives the views, in any front end: it is fed by the widget's own messages, which are those of
 * the comm, and holds a lease while it can be seen. What people choose is kept as long as the page is.
 */
import { changed, empty, reduce } from './store.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').RegionTable} RegionTable */

/** Renewed twice in the time that a lease lasts. */
const RENEW_MS = 25_000;
/** After the last cell nothing is renewed for longer: what a front end says keeps a kernel from being culled, too. */
const QUIET_MS = 10_000;

/** @type {Map<string, unknown>} */
const kept = new Map();

/**
 * @typedef {object} Model What anywidget gives.
 * @property {(name: string) => any} get
 * @property {(message: object) => void} send
 * @property {(event: string, callback: (...args: any[]) => void) => void} on
 * @property {(event: string, callback: (...args: any[]) => void) => void} off
 */

/**
 * @param {Model} model
 * @param {HTMLElement} root Whether this can be seen decides about the lease.
 * @param {RegionTable} table
 * @param {boolean} [asks] Whether it speaks for itself. Beside a sidebar, which does, a widget only listens: what widgets
 *   say in the middle of a cell makes the kernel say that it is idle.
 * @returns {{host: Host, end: () => void}}
 */
export function inlineHost(model, root, table, asks = true) {
  let state = changed(empty(), { face: 'tracking', notebook: null });
  /** @type {Set<() => void>} */
  const listeners = new Set();
  const view = `inline-${Math.random().toString(36).slice(2)}`;
  let visible = false;
  let leased = false;
  // A view that is made looks at once, whether a cell has run or not.
  let activeAt = Date.now();

  /** @param {unknown} message */
  const heard = (message) => {
    const next = reduce(state, message, Date.now());
    if (next === state) return;
    if (next.running.length || next.count > state.count) activeAt = Date.now();
    state = next;
    for (const listener of [...listeners]) listener();
  };
  for (const message of model.get('opening') ?? []) heard(message);

  const awake = () => state.running.length > 0 || Date.now() - activeAt < QUIET_MS;
  const lease = () => {
    if (asks && visible && awake()) {
      model.send({ type: 'lease', view });
      leased = true;
    }
  };
  const sizes = new ResizeObserver(([entry]) => {
    const now = entry.contentRect.width > 0;
    if (now === visible) return;
    visible = now;
    if (visible) lease();
    else if (leased) {
      model.send({ type: 'release', view });
      leased = false;
    }
  });
  sizes.observe(root);
  const renewing = setInterval(lease, RENEW_MS);
  model.on('msg:custom', heard);
  if (asks) model.send({ type: 'hello', protocol: 1, version: '' });

  const end = () => {
    model.off('msg:custom', heard);
    sizes.disconnect();
    clearInterval(renewing);
    if (leased) model.send({ type: 'release', view });
  };
  return {
    end,
    host: {
      state: () => state,
      subscribe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      table,
      act: {
        start: () => model.send({ type: 'track', on: true }),
        setRegion: (id) => model.send({ type: 'region', region: id }),
        copy: (text) => void navigator.clipboard?.writeText(text),
      },
      say: (text, ...values) => text.replace(/%(\d)/g, (_, at) => values[Number(at) - 1] ?? ''),
      recall: (key) => kept.get(key),
      remember: (key, value) => void kept.set(key, value),
    },
  };
}
