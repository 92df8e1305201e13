// @ts-check
/*
 * The last five minutes as a small stacked area of watts, for where the live chart is not there (yet): memory, CPU and
 * GPU from below, the steadiest first, with the present watts of each beside its key. What was modelled has a dashed
 * edge. Gaps are left out.
 */
import { DOMAINS } from './checked.js';
import { attr, el, keyed, setText, show, svg, watch } from './dom.js';
import { formats, NOT_YET } from './format.js';
import { firstAfter, isGap } from './samples.js';

/** @typedef {import('./types.js').Domain} Domain */
/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').Sample} Sample */

const SPAN_S = 300;
const WIDTH = 300;
const HEIGHT = 48;
/** Watts of the top, at least: what draws little is not blown up. */
const LEAST_TOP = 5;
/** Gaps are rows of nulls, and at rest a kernel samples slowly; but nothing is drawn through a step longer than this. */
const BREAK_S = 120;
/** From below: each one's place in a sample. @type {[Domain, 1 | 2 | 3][]} */
const LAYERS = [
  ['dram', 3],
  ['cpu', 1],
  ['gpu', 2],
];
const LABEL_EVERY_S = 10;

/**
 * @param {Domain} domain
 * @returns {string}
 */
export function domainName(domain) {
  return domain.toUpperCase();
}

/**
 * @param {HTMLElement} root
 * @param {Host} host
 * @returns {() => void}
 */
export function mountSpark(root, host) {
  const say = host.say.bind(host);
  const format = formats(host.locale);
  const picture = svg('svg', {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    role: 'img',
    class: 'cbm-Spark',
  });
  const top = el('span');
  const waiting = el('p', { class: 'cbm-empty cbm-small' }, say('One point a second, from now'));
  const mean = el('b');
  const when = el('div', { class: 'cbm-Readout-time cbm-small' }, el('span', {}, say('Now')), mean);
  const keys = el('dl', { class: 'cbm-Readout' });
  const scale = el('div', { class: 'cbm-Spark-scale cbm-small', 'aria-hidden': 'true' });
  scale.append(el('span', {}, say('−5 min')), top, el('span', {}, say('now')));
  root.append(picture, waiting, scale, when, keys);

  let labelled = -Infinity;
  const draw = () => {
    const { samples, totals } = host.state();
    const now = samples.length ? samples[samples.length - 1][0] : 0;
    const shown = samples.slice(firstAfter(samples, now - SPAN_S));
    const domains = LAYERS.filter(([domain, at]) => totals?.domains[domain] || shown.some((row) => row[at] !== null));
    const totalsOfRows = shown.map(wattsOf).filter((watts) => watts !== null);
    const highest = Math.max(LEAST_TOP, ...totalsOfRows);
    const layers = stacked(shown, domains, now, highest * 1.05);
    keyed(
      picture,
      layers,
      (layer) => layer.key,
      () => svg('path'),
      (node, layer) => {
        const modelled = totals?.domains[layer.domain]?.provenance ?? 'measured';
        attr(
          node,
          'class',
          `cbm-${layer.kind} cbm-mod-${layer.domain}${layer.kind === 'edge' ? ` cbm-mod-${modelled}` : ''}`,
        );
        attr(node, 'd', layer.path);
      },
    );
    show(waiting, shown.length < 2);
    show(scale, shown.length > 1);
    show(when, shown.length > 1);
    show(picture, shown.length > 1);
    setText(
      top,
      totalsOfRows.length
        ? say('highest %1', format.power(highest === LEAST_TOP ? Math.max(...totalsOfRows) : highest))
        : '',
    );
    const average = totalsOfRows.length
      ? totalsOfRows.reduce((sum, watts) => sum + watts, 0) / totalsOfRows.length
      : null;
    setText(mean, average === null ? '' : say('5 min mean %1', format.power(average)));
    drawKeys();
    if (now - labelled >= LABEL_EVERY_S || now < labelled || shown.length < 2) {
      labelled = now;
      attr(picture, 'aria-label', sentence(totals?.power_w ?? null, average, highest));
    }
  };

  function drawKeys() {
    const { totals } = host.state();
    const known = DOMAINS.filter((domain) => totals?.domains[domain]);
    keyed(
      keys,
      known,
      (domain) => domain,
      (domain) => {
        const key = el('span', { class: `cbm-key cbm-mod-${domain}` });
        return el(
          'div',
          {},
          el('dt', {}, key, domainName(domain)),
          el('dd', {}, el('strong'), ' ', el('span', { class: 'cbm-small' })),
        );
      },
      (node, domain) => {
        const figure = totals?.domains[/** @type {Domain} */ (domain)];
        const [dt, dd] = node.children;
        const provenance = figure?.provenance ?? 'measured';
        attr(dt.firstElementChild, 'class', `cbm-key cbm-mod-${domain} cbm-mod-${provenance}`);
        setText(dd.children[0], figure?.power_w == null ? NOT_YET : format.power(figure.power_w));
        setText(dd.children[1], provenance === 'measured' ? '' : say(provenance));
      },
    );
  }

  /**
   * @param {number | null} power
   * @param {number | null} average
   * @param {number} highest
   */
  function sentence(power, average, highest) {
    if (average === null) return say('Power: no samples yet');
    return say(
      'Power, last 5 minutes, stacked: memory, CPU, GPU. Now %1. Mean %2, highest %3.',
      power === null ? say('not known') : format.power(power),
      format.power(average),
      format.power(highest),
    );
  }

  return watch(root, host, draw);
}

/**
 * @param {Sample} sample
 * @returns {number | null}
 */
function wattsOf(sample) {
  const [, cpu, gpu, dram] = sample;
  if (isGap(sample)) return null;
  return (cpu ?? 0) + (gpu ?? 0) + (dram ?? 0);
}

/**
 * The areas and their upper edges, one path each.
 * @param {readonly Sample[]} samples
 * @param {[Domain, 1 | 2 | 3][]} domains
 * @param {number} now
 * @param {number} top
 */
function stacked(samples, domains, now, top) {
  const x = (/** @type {Sample} */ row) => Math.round(WIDTH * (1 + (row[0] - now) / SPAN_S) * 10) / 10;
  const y = (/** @type {number} */ watts) => Math.round((HEIGHT - (HEIGHT * watts) / top) * 10) / 10;
  const runs = withoutGaps(samples);
  /** @type {{key: string, domain: Domain, kind: 'area' | 'edge', path: string}[]} */
  const layers = [];
  /** @type {{key: string, domain: Domain, kind: 'area' | 'edge', path: string}[]} */
  const edges = [];
  domains.forEach(([domain], level) => {
    const height = (/** @type {Sample} */ row, /** @type {number} */ upTo) =>
      domains.slice(0, upTo).reduce((sum, [, at]) => sum + (row[at] ?? 0), 0);
    let area = '';
    let edge = '';
    for (const run of runs) {
      const upper = run.map((row) => `${x(row)} ${y(height(row, level + 1))}`).join('L');
      const lower = run
        .map((row) => `${x(row)} ${y(height(row, level))}`)
        .reverse()
        .join('L');
      area += `M${upper}L${lower}Z`;
      edge += `M${upper}`;
    }
    layers.push({ key: `area-${domain}`, domain, kind: 'area', path: area });
    edges.push({ key: `edge-${domain}`, domain, kind: 'edge', path: edge });
  });
  return [...layers, ...edges];
}

/**
 * @param {readonly Sample[]} samples
 * @returns {Sample[][]}
 */
function withoutGaps(samples) {
  /** @type {Sample[][]} */
  const runs = [];
  /** @type {Sample | null} */
  let last = null;
  for (const row of samples) {
    if (isGap(row)) {
      last = null;
      continue;
    }
    if (last && row[0] - last[0] <= BREAK_S) runs[runs.length - 1].push(row);
    else runs.push([row]);
    last = row;
  }
  return runs.filter((run) => run.length > 1);
}
