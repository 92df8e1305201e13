// @ts-check
/*
 * The live power chart over bqplot's figure: it fills the figure's lines from the same state as the other views, sets
 * its scales and axes, and lays over it what bqplot has no mark for: bands of cells with their numbers, gaps and a
 * cursor. All of it in the browser, so that changing the span needs no kernel.
 */
import { drawTable, makeLegend } from './chartlegend.js';
import { evenly, gapsOf, GAP_S, mean, STACK, stepsIn, timeTicks, topOf, wattTicks, whole } from './chartrows.js';
import { makeLines } from './chartlines.js';
import { attr, button, el, icon, keyed, setStyle, setText, show, watch } from './dom.js';
import { prompt } from './faces.js';
import { formats } from './format.js';

/** @typedef {import('./types.js').Cell} Cell */
/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').State} State */

/** @typedef {import('./chartlines.js').Figure} Figure */
/** @typedef {import('./chartlines.js').Part} Part */
/** @typedef {{key: string, label: string, seconds: number | null}} Span */

/** @type {Span[]} */
const SPANS = [
  { key: '1m', label: '1 min', seconds: 60 },
  { key: '5m', label: '5 min', seconds: 300 },
  { key: '1h', label: '1 h', seconds: 3600 },
  { key: 'all', label: 'All', seconds: null },
];
const FALLS_AFTER_MS = 30_000;
const RENEW_SENTENCE_MS = 10_000;
const MOST_BANDS = 100;
const LABEL_PX = 24;
/** No band is narrower: its padding. */
const BAND_PX = 4;
const LETTER_PX = 7;
/** A change by more of the scale is drawn at once, a smaller one when the plot has moved by so many pixels. */
const LEAP = 0.2;
const STEP_PX = 2;

/**
 * @param {HTMLElement} root Lies over the figure.
 * @param {Host} host
 * @param {Figure} figure
 * @returns {() => void}
 */
export function mountChart(root, host, figure) {
  const say = host.say.bind(host);
  const format = formats(host.locale);
  const plot = el('div', { class: 'cbm-Chart-plot', role: 'img', tabindex: 0 });
  const bands = el('div', { class: 'cbm-Chart-bands', 'aria-hidden': 'true' });
  const waiting = el('p', { class: 'cbm-Chart-waiting cbm-empty cbm-small' }, say('One point a second, from now'));
  const cursor = el('div', { class: 'cbm-Chart-cursor', hidden: true });
  plot.append(bands, waiting, cursor);
  const legend = makeLegend(host);
  const choice = el('div', { class: 'cbm-Chart-spans', role: 'group', 'aria-label': say('Time shown') });
  const table = el('table', { class: 'cbm-Chart-table cbm-small', hidden: true });
  let span = SPANS.find((one) => one.key === host.recall('span')) ?? SPANS[1];
  const choices = SPANS.map((one) =>
    button(
      say(one.label),
      () => {
        span = one;
        host.remember('span', one.key);
        top = 0;
        at = null;
        spokenAt = 0;
        draw(true);
      },
      'cbm-Chart-span',
    ),
  );
  const asTable = button(
    '',
    () => {
      if (table.hidden) drawTable(table, host, shown());
      else show(table, false);
      attr(asTable, 'aria-pressed', String(!table.hidden));
    },
    'cbm-iconButton cbm-Chart-asTable',
  );
  asTable.append(icon('table'));
  attr(asTable, 'title', say('Show as table'));
  attr(asTable, 'aria-label', say('Show as table'));
  attr(asTable, 'aria-pressed', 'false');
  legend.line.append(asTable);
  choice.append(...choices);
  root.append(plot, legend.element, table, choice);

  let top = 0;
  let lowSince = 0;
  let spokenAt = 0;
  /** @type {number[][]} */
  let rows = [];
  /** @type {[number, number][]} */
  let gaps = [];
  let now = 0;
  let seconds = 300;
  let steps = 300;
  let scaled = '';
  let drawn = { shape: '', levels: [NaN, NaN, NaN] };
  let width = 1;
  const drawLines = makeLines(figure);
  /** @type {number | null} */
  let at = null;
  const shown = () => ({
    rows,
    gaps,
    now,
    seconds,
    at,
    span: span.seconds === null ? say('session') : say(span.label),
  });

  /** @param {boolean} [anew] Whatever it looks like. */
  function draw(anew = false) {
    const state = host.state();
    const { samples, totals } = state;
    const last = samples.length ? samples[samples.length - 1][0] : 0;
    const until = (totals?.now ?? 0) - last > GAP_S ? (totals?.now ?? 0) : last;
    const wide = span.seconds ?? Math.max(60, samples.length ? until - samples[0][0] : 60);
    if (differs(state, until, wide) || anew) {
      now = until;
      seconds = wide;
      const before = steps;
      steps = stepsIn(width, seconds);
      if (at !== null && steps !== before) at = Math.round((at / before) * steps);
      rows = evenly(samples, now, seconds, steps);
      gaps = gapsOf(rows);
      drawPlot(state);
    }
    legend.draw(shown());
    drawCursor();
    if (!table.hidden) drawTable(table, host, shown());
    if (Date.now() - spokenAt > RENEW_SENTENCE_MS) {
      const sums = rows.map(whole);
      // That nothing is known yet is said until something is.
      if (sums.some((sum) => sum >= 0)) spokenAt = Date.now();
      attr(plot, 'aria-label', sentence(sums));
    }
  }

  /**
   * Whether the plot would: in a look's second a long span moves by less than a pixel, and bqplot draws all or nothing.
   * @param {State} state
   * @param {number} until
   * @param {number} wide
   */
  function differs({ samples, cells, running, totals }, until, wide) {
    const latest = samples.length ? samples[samples.length - 1] : null;
    const levels = STACK.map(([, place]) => latest?.[place] ?? NaN);
    const kinds = STACK.map(([domain]) => totals?.domains[domain]?.provenance);
    const known = levels.map((level) => level >= 0);
    const shape = JSON.stringify([known, kinds, samples.length < 2, cells.size, running.map((cell) => cell.record_id)]);
    const moved = (Math.max(Math.abs(until - now), Math.abs(wide - seconds)) / seconds) * width;
    const leaps = levels.some((level, index) => Math.abs(level - drawn.levels[index]) > LEAP * top);
    if (shape === drawn.shape && moved < STEP_PX && !leaps) return false;
    drawn = { shape, levels };
    return true;
  }

  /** @param {State} state */
  function drawPlot(state) {
    drawLines(state, rows, seconds);
    drawScales(Math.max(0, ...rows.map(whole).filter((sum) => sum >= 0)));
    drawBands(state);
    show(waiting, state.samples.length < 2);
    choices.forEach((one, index) => attr(one, 'aria-pressed', String(SPANS[index] === span)));
    // In a section, the choice stands beside its heading, which has a name of its own.
    const heading = root.closest('.cbm-Section')?.querySelector('h3');
    if (heading && heading.nextSibling !== choice) heading.after(choice);
    // What the figure's pictures show is said by the plot's label.
    const figures = root.closest('.cbm-Chart-stage, .widget-gridbox')?.querySelectorAll('.cbm-Chart-figure') ?? [];
    for (const one of figures) attr(one, 'aria-hidden', 'true');
  }

  /** @param {number} highest */
  function drawScales(highest) {
    const wanted = topOf(highest);
    if (wanted > top / 2) lowSince = Date.now();
    if (wanted > top || Date.now() - lowSince > FALLS_AFTER_MS) top = wanted;
    if (scaled === `${top} ${seconds}`) return;
    scaled = `${top} ${seconds}`;
    figure.x.set({ min: -seconds, max: 0 });
    figure.y.set({ min: 0, max: top });
    for (const [axis, ticks] of /** @type {[Part, [number, string][]][]} */ ([
      [figure.yAxis, wattTicks(top, host)],
      [figure.xAxis, timeTicks(seconds, host)],
    ])) {
      axis.set({ tick_labels: Object.fromEntries(ticks), tick_values: Float64Array.from(ticks, ([value]) => value) });
    }
  }

  /** @param {State} state */
  function drawBands(state) {
    const from = now - seconds;
    const cells = [...state.cells.values(), ...state.running]
      .filter((cell) => endOf(cell) > from && cell.started_at < now)
      .slice(-MOST_BANDS);
    let shaded = -1;
    const marks = [
      ...cells
        .map((cell) => ({
          key: cell.record_id,
          name: cell.status === 'running' ? 'cbm-Chart-band cbm-mod-running' : 'cbm-Chart-band',
          words: prompt(cell.execution_count),
          left: Math.max(0, (cell.started_at - from) / seconds),
          right: Math.min(1, (endOf(cell) - from) / seconds),
        }))
        .filter(({ left, right }) => {
          // Hundreds of short cells would shade one place until nothing is seen there.
          if (right <= shaded) return false;
          shaded = Math.max(right, left + BAND_PX / Math.max(width, 1));
          return true;
        }),
      ...gaps.slice(-MOST_BANDS).map(([first, last]) => ({
        key: `gap-${Math.round(now - (1 - first / steps) * seconds)}`,
        name: 'cbm-Chart-gap',
        words: '',
        left: (first - 1) / steps,
        right: (last + 1) / steps,
      })),
    ];
    keyed(
      bands,
      marks,
      (mark) => mark.key,
      () => el('div'),
      (node, { name, words, left, right }) => {
        attr(node, 'class', name);
        const room = (right - left) * width;
        setText(node, room >= Math.max(LABEL_PX, LETTER_PX * (words.length + 1)) ? words : '');
        setStyle(node, 'left', `${Math.round(10_000 * left) / 100}%`);
        setStyle(node, 'width', `${Math.round(10_000 * (right - left)) / 100}%`);
      },
    );
  }

  /**
   * @param {Cell} cell
   * @returns {number}
   */
  const endOf = (cell) => (cell.status === 'running' ? now : cell.started_at + cell.duration_s);

  function drawCursor() {
    show(cursor, at !== null);
    if (at !== null) setStyle(cursor, 'left', `${(100 * at) / steps}%`);
  }

  /** @param {number[]} sums */
  function sentence(sums) {
    const known = sums.filter((sum) => sum >= 0);
    if (!known.length) return say('Power: no samples yet');
    const last = sums[sums.length - 1];
    return say(
      'Power, last %1, stacked: memory, CPU, GPU. Now %2. Mean %3, highest %4.',
      format.duration(seconds),
      last >= 0 ? format.power(last) : say('not known'),
      format.power(mean(known)),
      format.power(Math.max(...known)),
    );
  }

  /** @param {number | null} to */
  const point = (to) => {
    at = to === null ? null : Math.min(steps, Math.max(0, Math.round(to)));
    legend.draw(shown());
    drawCursor();
  };
  plot.addEventListener('pointermove', (event) => {
    const box = plot.getBoundingClientRect();
    point((steps * (event.clientX - box.left)) / (box.width || 1));
  });
  plot.addEventListener('pointerleave', () => point(null));
  plot.addEventListener('blur', () => point(null));
  plot.addEventListener('keydown', (event) => {
    const step = event.shiftKey ? 10 : 1;
    const here = at ?? steps;
    /** @type {Record<string, number>} */
    const goals = { ArrowLeft: here - step, ArrowRight: here + step, Home: 0, End: steps };
    if (!(event.key in goals)) return;
    event.preventDefault();
    // JupyterLab and notebooks have commands of their own on these keys.
    event.stopPropagation();
    point(goals[event.key]);
  });
  // To ask for the width while drawing would have the browser lay out the page once more.
  const sizes = new ResizeObserver(([entry]) => {
    if (entry.contentRect.width === width || !entry.contentRect.width) return;
    width = entry.contentRect.width;
    draw(true);
  });
  sizes.observe(plot);
  const end = watch(root, host, () => draw());
  return () => {
    sizes.disconnect();
    end();
    choice.remove();
    root.replaceChildren();
  };
}
