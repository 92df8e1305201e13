// @ts-check
/*
 * The totals: energy and emissions of the session, each with its range as a rail from 0 to the high; power now and in
 * the mean; the cell that runs; the region and how it was found; one equivalent. Nothing moves but texts and rails, and
 * the headline's prefix only goes up.
 */
import { attr, el, icon, setStyle, setText, show, watch } from './dom.js';
import { clock, isMostlyMeasured, prompt } from './faces.js';
import { CO2E, formatsOf, NBSP, NOT_YET, unbroken } from './format.js';
import { regionKnown, regionNodes } from './region.js';
import { spokenDuration, spokenFigure } from './spoken.js';

/** @typedef {import('./types.js').Cell} Cell */
/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').Provenance} Provenance */
/** @typedef {import('./types.js').Range} Range */
/** @typedef {import('./types.js').State} State */
/** @typedef {import('./types.js').Totals} Totals */
/**
 * @typedef {object} FigureWords
 * @property {string} figure
 * @property {string} unit
 * @property {string} below
 * @property {string} label
 * @property {'' | 'none' | 'unknown'} kind
 * @property {Provenance} provenance
 * @property {Range | null} range
 */

/**
 * @param {HTMLElement} root
 * @param {Host} host
 * @returns {() => void}
 */
export function mountTotals(root, host) {
  const say = host.say.bind(host);
  const format = formatsOf(host);
  const scope = el('span', {
    title: say(
      'CPU, GPU and memory: this kernel’s share. Not the screen, disks, cooling or the making of the machine.',
    ),
  });
  const energy = figureNodes();
  const emissions = figureNodes();
  const now = el('dd');
  const mean = el('dd');
  const running = runningNodes();
  const equivalent = equivalentNodes();
  const region = regionNodes(host);
  root.append(
    el('div', { class: 'cbm-Totals-scope cbm-small' }, scope),
    el('div', { class: 'cbm-Figures' }, energy.element, emissions.element),
    el(
      'dl',
      { class: 'cbm-Stats' },
      el('div', {}, el('dt', {}, say('Now')), now),
      el('div', {}, el('dt', {}, say('Mean')), mean),
    ),
    el('div', { class: 'cbm-Lines' }, running.element, region.element, equivalent.element),
  );

  /** The least prefixes of this session's headline, in the unit that it is written in. */
  let least = { key: '', energy: 0, emissions: 0, span: 0 };
  let since = { at: /** @type {number | null} */ (null), text: '' };
  const draw = () => {
    const state = host.state();
    const { totals } = state;
    const key = `${state.session_id} ${host.unit}`;
    if (least.key !== key) least = { key, energy: 0, emissions: 0, span: 0 };
    setText(scope, scopeWords(state));
    drawFigure(energy, energyWords(state));
    drawFigure(emissions, emissionsWords(state));
    setText(now, totals?.power_w == null ? `${NOT_YET}${NBSP}W` : format.power(totals.power_w));
    setText(mean, totals?.mean_power_w == null ? `${NOT_YET}${NBSP}W` : format.power(totals.mean_power_w));
    running.draw(state.running);
    region.draw(state);
    equivalent.draw(totals);
  };

  /** @param {State} state */
  function scopeWords(state) {
    if (state.started_at === null) return say('Chips only');
    if (state.started_at !== since.at)
      since = { at: state.started_at, text: clock(state.started_at * 1000, host.locale) };
    if (!state.totals) return say('Chips only, since %1', since.text);
    return say('Chips only, since %1 (%2)', since.text, wholeMinutes(state.totals.duration_s));
  }

  /** @param {number} seconds */
  function wholeMinutes(seconds) {
    return format.duration(seconds < 60 ? Math.floor(seconds) : Math.floor(seconds / 60) * 60);
  }

  /**
   * @param {State} state
   * @returns {FigureWords}
   */
  function energyWords(state) {
    const range = state.totals?.energy_j ?? null;
    const [, wanted] = splitUnit(format.notYetEnergy());
    if (!range) return { ...notYet(wanted, say('Energy: not yet known')), below: say('first figures in a second') };
    const measured = isMostlyMeasured(state);
    const written = format.energyRange(range, { digits: measured ? 3 : 2, atLeast: least.energy });
    least.energy = written.prefix;
    const provenance = measured ? 'measured' : mainProvenance(state.totals);
    const word = provenance === 'measured' ? '' : say(provenance);
    const spoken = [spokenFigure(written.figure, written.unit, say), written.low, written.high];
    return {
      figure: written.figure,
      unit: written.unit,
      below: word ? `${written.bounds}, ${word}` : written.bounds,
      label: word
        ? say('Energy: %1, %4, between %2 and %3', ...spoken, word)
        : say('Energy: %1, between %2 and %3', ...spoken),
      kind: '',
      provenance,
      range,
    };
  }

  /**
   * @param {State} state
   * @returns {FigureWords}
   */
  function emissionsWords(state) {
    const range = state.totals?.emissions_g ?? null;
    if (!range) return notYet(`g ${CO2E}`, say('Emissions: not yet known'));
    if (!state.totals?.emissions_known) {
      const span = format.massRange([range[0], range[2], range[2]], { atLeast: least.span });
      least.span = span.prefix;
      return {
        figure: span.bounds,
        unit: span.unit,
        // Where a region was named since, only what ran before is without one.
        below: regionKnown(state.region) ? say('%1, region unknown for a part', CO2E) : say('%1, region unknown', CO2E),
        label: say(
          regionKnown(state.region)
            ? 'Emissions: somewhere between %1 and %2; the region is unknown for a part'
            : 'Emissions: somewhere between %1 and %2; the region is unknown',
          span.low,
          spokenFigure(span.high, span.unit, say),
        ),
        kind: 'unknown',
        provenance: 'assumed',
        range,
      };
    }
    const written = format.massRange(range, { atLeast: least.emissions });
    least.emissions = written.prefix;
    return {
      figure: written.figure,
      unit: `${written.unit} ${CO2E}`,
      below: written.bounds,
      label: say(
        'Emissions: %1 of CO2 equivalent, between %2 and %3',
        spokenFigure(written.figure, written.unit, say),
        written.low,
        written.high,
      ),
      kind: '',
      provenance: isMostlyMeasured(state) ? 'measured' : mainProvenance(state.totals),
      range,
    };
  }

  /**
   * @param {string} unit
   * @param {string} label
   * @returns {FigureWords}
   */
  function notYet(unit, label) {
    return { figure: NOT_YET, unit, below: NBSP, label, kind: 'none', provenance: 'measured', range: null };
  }

  function runningNodes() {
    const main = el('span', { class: 'cbm-Line-prompt' });
    const more = el('span');
    const figures = el('span', { class: 'cbm-Line-figures' });
    const words = el('span', { class: 'cbm-Line-main cbm-mod-wraps' }, main, ` ${say('running')}`, more);
    const element = el('div', { class: 'cbm-Line', role: 'group' }, el('span', { class: 'cbm-busy' }), words, figures);
    /** @param {Cell[]} cells */
    const drawRunning = (cells) => {
      show(element, cells.length > 0);
      if (!cells.length) return;
      const [cell] = cells;
      setText(main, cell.execution_count === null && cell.label ? cell.label : prompt(cell.execution_count));
      setText(more, cells.length > 1 ? `, ${say('%1 more', format.number(cells.length - 1, 0))}` : '');
      const spent = cell.energy_j && (cell.below_resolution ? format.aboutEnergy : format.energy)(cell.energy_j[1]);
      setText(figures, `${format.running(cell.duration_s)} · ${spent ?? format.notYetEnergy()}`);
      attr(
        element,
        'aria-label',
        say(
          'Cell %1 is running: %2, %3 so far',
          cell.execution_count === null ? '' : String(cell.execution_count),
          spokenDuration(cell.duration_s, say, (count) => format.number(count, 0)),
          spent ? spokenFigure(...splitUnit(spent), say) : say('energy not yet known'),
        ),
      );
    };
    return { element, draw: drawRunning };
  }

  function equivalentNodes() {
    const words = el('span');
    const bounds = el('span', { class: 'cbm-small cbm-mod-wideOnly' });
    const element = el(
      'div',
      { class: 'cbm-Line' },
      icon('equals'),
      el('span', { class: 'cbm-Line-sub cbm-mod-wraps' }, words, ' ', bounds),
    );
    /** @param {Totals | null} totals */
    const drawEquivalent = (totals) => {
      show(element, Boolean(totals?.equivalent));
      setText(words, totals?.equivalent?.text ?? '');
      setText(bounds, totals?.equivalent?.bounds ?? '');
    };
    return { element, draw: drawEquivalent };
  }

  return watch(root, host, draw);
}

/**
 * @param {string} written
 * @returns {[string, string]}
 */
function splitUnit(written) {
  const at = written.lastIndexOf(NBSP);
  return [written.slice(0, at), written.slice(at + 1)];
}

/**
 * Where most of the energy comes from.
 * @param {Totals | null} totals
 * @returns {Provenance}
 */
export function mainProvenance(totals) {
  /** @type {Record<Provenance, number>} */
  const sums = { measured: 0, modelled: 0, assumed: 0 };
  for (const figure of Object.values(totals?.domains ?? {})) sums[figure.provenance] += figure.energy_j[1];
  if (sums.measured >= sums.modelled && sums.measured >= sums.assumed && sums.measured > 0) return 'measured';
  return sums.assumed > sums.modelled ? 'assumed' : 'modelled';
}

function figureNodes() {
  const figure = el('span');
  const unit = el('span', { class: 'cbm-unit' });
  const value = el('div', { class: 'cbm-Figure-value' }, figure, unit);
  const rail = el('i');
  const best = el('b');
  const range = el('span', { class: 'cbm-Range', 'aria-hidden': 'true' }, rail, best);
  const below = el('span', { class: 'cbm-Figure-range cbm-small' });
  const element = el('div', { class: 'cbm-Figure', role: 'group' }, value, range, below);
  return { element, figure, unit, value, rail, best, range, below };
}

/**
 * @param {ReturnType<typeof figureNodes>} nodes
 * @param {FigureWords} words
 */
function drawFigure(nodes, words) {
  attr(nodes.element, 'aria-label', words.label);
  setText(nodes.figure, words.figure);
  setText(nodes.unit, words.unit);
  setText(nodes.below, unbroken(words.below));
  attr(nodes.value, 'class', words.kind ? `cbm-Figure-value cbm-mod-${words.kind}` : 'cbm-Figure-value');
  const underlined = words.provenance !== 'measured' && !words.kind;
  attr(nodes.figure, 'class', underlined ? `cbm-${words.provenance}` : '');
  attr(nodes.rail, 'class', `cbm-mod-${words.provenance}`);
  show(nodes.rail, words.range !== null);
  show(nodes.best, words.range !== null && words.kind !== 'unknown');
  if (!words.range) return;
  const [low, best, high] = words.range;
  const part = (/** @type {number} */ value) => `${(high > 0 ? (value / high) * 100 : 0).toFixed(1)}%`;
  setStyle(nodes.range, '--lo', part(low));
  setStyle(nodes.range, '--hi', part(high));
  setStyle(nodes.range, '--best', part(best));
}
