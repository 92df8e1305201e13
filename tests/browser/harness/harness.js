/* Mounts the panel with made-up hosts; tests and screenshots drive it through `window.harness`. */
import * as badge from '/browser/badge.js';
import * as decimals from '/browser/decimal.js';
import * as format from '/browser/format.js';
import { mount } from '/browser/frame.js';
import * as ratios from '/browser/ratios.js';
import * as scale from '/browser/scale.js';
import * as store from '/browser/store.js';
import * as fixtures from './fixtures.js';
import * as looks from './looks.js';

const { table } = fixtures;
const stage = document.getElementById('stage');

/** A host that keeps its state here, notes what it was asked to do, and can do everything not listed in `without`. */
function makeHost(state, { locale = 'en-GB', without = [], kept = {}, hostile = false } = {}) {
  const listeners = new Set();
  const calls = [];
  const memory = new Map(Object.entries(kept));
  const act = {};
  for (const name of [
    'start',
    'retry',
    'alwaysStart',
    'keepLive',
    'setRegion',
    'reveal',
    'restart',
    'changeKernel',
    'copy',
    'menu',
    'popOut',
    'doctor',
  ]) {
    if (!without.includes(name)) act[name] = (...given) => calls.push([name, given[0]?.record_id ?? given[0] ?? null]);
  }
  let now = state;
  const set = (next) => {
    now = next;
    for (const listener of listeners) listener();
  };
  return {
    calls,
    memory,
    set,
    send: (message) => set(store.reduce(now, message, Date.now())),
    change: (changes) => set(store.changed(now, changes)),
    host: {
      state: () => now,
      subscribe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      table,
      act,
      say: (text, ...values) => text.replace(/%(\d)/g, (_, at) => values[at - 1] ?? ''),
      locale,
      excerpt: (cell) =>
        hostile
          ? fixtures.HOSTILE
          : (fixtures.CODE[cell.execution_count] ?? `value_${cell.execution_count} = compute(${cell.execution_count})`),
      recall: (key) => memory.get(key),
      remember: (key, value) => memory.set(key, structuredClone(value)),
    },
  };
}

const shown = [];
window.harness = {
  badge,
  decimals,
  format,
  ratios,
  scale,
  store,
  fixtures,
  looks,
  makeHost,
  shown,
  /** `told`, once what it changed was drawn. */
  async drawn(told) {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return told;
  },
  /** Shows one panel for each of `panels`: {fixture, width, ...options of the host}. */
  show(panels, dark = false) {
    document.body.dataset.jpThemeLight = String(!dark);
    for (const { end, box } of shown.splice(0)) {
      end();
      box.remove();
    }
    for (const panel of panels) {
      const box = document.createElement('div');
      box.style.width = `${panel.width ?? 300}px`;
      stage.append(box);
      const made = makeHost(fixtures.FIXTURES[panel.fixture](), { hostile: panel.fixture === 'hostile', ...panel });
      const chart = panel.chart ? document.createElement('div') : undefined;
      shown.push({ ...made, box, chart, end: mount(box, made.host, chart ? { chart } : {}) });
    }
  },
};
document.body.dataset.ready = 'true';
