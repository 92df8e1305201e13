// @ts-check
/*
 * The host that a widget gives the views, in any front end: it is fed by the widget's own messages, which are those of
 * the comm, and holds a lease while it can be seen. What people choose is kept as long as the page is.
 * When its kernel is gone it says so, and what it shows stays.
 */
import { Lease } from './lease.js';
import { changed, empty, PROTOCOL, reduce } from './store.js';

/** @typedef {import('./types.js').Face} Face */
/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').RegionTable} RegionTable */

const BEAT_MS = 1000;

/** @type {Map<string, unknown>} */
const kept = new Map();

/**
 * @typedef {object} Model What anywidget gives.
 * @property {(name: string) => any} get
 * @property {(message: object) => void} send
 * @property {(event: string, callback: (...args: any[]) => void) => void} on
 * @property {(event: string, callback: (...args: any[]) => void) => void} off
 * @property {any} [widget_manager] JupyterLab's knows the kernel.
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
  let over = false;
  // A widget's words wait for the cell that runs.
  const lease = new Lease((word) => model.send({ type: word, view }), { patient: true });
  // A view that is made looks at once, whether a cell has run or not.
  lease.opened(Date.now());

  /** @param {import('./types.js').State} next */
  const become = (next) => {
    state = next;
    for (const listener of [...listeners]) listener();
  };
  /** @param {unknown} message */
  const heard = (message) => {
    if (over) return;
    const now = Date.now();
    const next = reduce(state, message, now);
    if (next === state) return;
    lease.agree(next.terms);
    lease.note(next.running.length > 0, now);
    if (next.count > state.count) lease.opened(now);
    become(next);
  };
  for (const message of model.get('opening') ?? []) heard(message);

  const beat = () => {
    if (over || !asks) return;
    const now = Date.now();
    lease.update(now, visible);
    if (!visible || (state.face !== 'tracking' && state.face !== 'lost')) return;
    const silence = lease.silence(now, state.heard_at);
    const face = silence === 'lost' ? 'lost' : 'tracking';
    const paused = silence === 'paused';
    if (face !== state.face || paused !== state.paused) become(changed(state, { face, paused, detail: null }));
  };
  const sizes = new ResizeObserver(([entry]) => {
    const now = entry.contentRect.width > 0;
    if (now === visible) return;
    visible = now;
    if (visible) lease.opened(Date.now());
    beat();
  });
  sizes.observe(root);
  const beating = setInterval(beat, BEAT_MS);
  model.on('msg:custom', heard);
  const deaf = onEnd(model, (face) => {
    over = true;
    // What ends an ended kernel is no news; that it had died is.
    if (face !== 'dead' && state.face === 'dead') return;
    const at = state.face === 'ended' ? state.heard_at : Date.now();
    become(changed(state, { face, detail: null, heard_at: at, running: [], paused: false }));
  });
  if (asks) model.send({ type: 'hello', protocol: PROTOCOL, version: '' });

  const end = () => {
    model.off('msg:custom', heard);
    deaf();
    sizes.disconnect();
    clearInterval(beating);
    if (!over) lease.update(Date.now(), false);
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
        keepLive: () => {
          lease.keep = true;
          model.send({ type: 'keep_live', on: true });
          beat();
        },
        setRegion: (id) => model.send({ type: 'region', region: id }),
        copy: (text) => void navigator.clipboard?.writeText(text),
      },
      say: (text, ...values) => text.replace(/%(\d)/g, (_, at) => values[Number(at) - 1] ?? ''),
      excerpt: (cell) => cell.code,
      recall: (key) => kept.get(key),
      remember: (key, value) => void kept.set(key, value),
    },
  };
}

/**
 * Tells when the kernel of a widget is gone: that it died, where the front end says so, else that the session ended.
 * @param {Model} model
 * @param {(face: Face) => void} ended
 * @returns {() => void} Ends it.
 */
function onEnd(model, ended) {
  /** @type {Record<string, Face>} */
  const ends = { restarting: 'ended', terminating: 'ended', autorestarting: 'dead', dead: 'dead' };
  const kernel = model.widget_manager?.kernel;
  const told = (/** @type {unknown} */ _, /** @type {string} */ status) => {
    if (status in ends) ended(ends[status]);
  };
  const gone = () => ended('ended');
  kernel?.statusChanged?.connect(told);
  kernel?.disposed?.connect(gone);
  // Said in every front end, once a widget's kernel cannot be reached any more.
  model.on('comm_live_update', gone);
  return () => {
    kernel?.statusChanged?.disconnect(told);
    kernel?.disposed?.disconnect(gone);
    model.off('comm_live_update', gone);
  };
}
