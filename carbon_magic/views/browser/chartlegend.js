// @ts-check
/*
 * What stands under the power chart: its legend, which is the readout of the cursor too, and the same figures as a table.
 */
import { STACK, mean, whole } from './chartrows.js';
import { attr, el, keyed, setText, show } from './dom.js';
import { clock, prompt } from './faces.js';
import { formats, NOT_YET } from './format.js';
import { domainName } from './spark.js';

/** @typedef {import('./types.js').Domain} Domain */
/** @typedef {import('./types.js').Host} Host */

/**
 * @typedef {object} Shown What the chart shows at present.
 * @property {number[][]} rows
 * @property {[number, number][]} gaps
 * @property {number} now
 * @property {number} seconds
 * @property {string} span Its words.
 * @property {number | null} at The row under the cursor.
 */

const TABLE_ROWS = 20;

/**
 * @param {Host} host
 * @returns {{element: HTMLElement, line: HTMLElement, draw: (shown: Shown) => void}}
 */
export function makeLegend(host) {
  const say = host.say.bind(host);
  const format = formats(host.locale);
  const when = el('span', { class: 'cbm-Chart-when' });
  const sum = el('b');
  const keys = el('dl', { class: 'cbm-Readout' });
  const note = el('p', { class: 'cbm-small' });
  const both = el('div', { class: 'cbm-Chart-keys' }, keys, note);
  const line = el('div', { class: 'cbm-Readout-time cbm-Chart-line cbm-small' }, when, sum);
  const element = el('div', {}, line, both);

  /** @param {Shown} shown */
  function draw({ rows, gaps, now, seconds, span, at }) {
    const { totals, cells, running } = host.state();
    const row = rows[at ?? rows.length - 1];
    if (!row) return;
    const gap = at === null ? undefined : gaps.find(([first, last]) => first <= at && at <= last);
    if (at === null) {
      const average = mean(rows.map(whole).filter((watts) => watts >= 0));
      setText(when, say('Now'));
      setText(sum, average >= 0 ? say('%1 mean %2', span, format.power(average)) : '');
    } else {
      const time = now - (1 - at / (rows.length - 1)) * seconds;
      const cell = [...cells.values(), ...running].find(
        (one) => one.started_at <= time && (time <= one.started_at + one.duration_s || one.status === 'running'),
      );
      const where = cell ? `, ${say('cell %1', prompt(cell.execution_count))}` : '';
      setText(when, clock(time * 1000, host.locale, true) + where);
      setText(sum, whole(row) >= 0 ? format.power(whole(row)) : say('no samples'));
    }
    if (gap) setText(note, gapWords(((gap[1] - gap[0] + 1) * seconds) / (rows.length - 1)));
    attr(both, 'class', `cbm-Chart-keys${gap ? ' cbm-mod-gap' : ''}`);

    // From above, as the areas lie.
    const known = STACK.filter(([domain, place]) => totals?.domains[domain] || rows.some((one) => one[place - 1] >= 0));
    keyed(
      keys,
      known.reverse(),
      ([domain]) => domain,
      ([domain]) => {
        const key = el('span', { class: 'cbm-key' });
        const value = el('dd', {}, el('strong'), ' ', el('span', { class: 'cbm-small' }));
        return el('div', {}, el('dt', {}, key, domainName(domain)), value);
      },
      (node, [domain, place]) => {
        const provenance = totals?.domains[domain]?.provenance ?? 'measured';
        const watts = at === null ? totals?.domains[domain]?.power_w : row[place - 1];
        const [dt, dd] = node.children;
        attr(dt.firstElementChild, 'class', `cbm-key cbm-mod-${domain} cbm-mod-${provenance}`);
        setText(dd.children[0], watts != null && watts >= 0 ? format.power(watts) : NOT_YET);
        setText(dd.children[1], provenance === 'measured' ? '' : say(provenance));
      },
    );
  }

  /** @param {number} seconds */
  function gapWords(seconds) {
    const domains = Object.values(host.state().totals?.domains ?? {});
    const long = format.duration(seconds);
    return domains.every((figure) => figure.counts)
      ? say('No samples for %1. The counters kept counting: the totals include it, unless tracking was off.', long)
      : say('No samples for %1. The totals bridge it with a wide range, unless tracking was off.', long);
  }

  return { element, line, draw };
}

/**
 * @param {HTMLTableElement} table
 * @param {Host} host
 * @param {Shown} shown
 */
export function drawTable(table, host, { rows, now, seconds }) {
  const say = host.say.bind(host);
  const format = formats(host.locale);
  const domains = [...STACK].reverse();
  const heads = [say('Time'), ...domains.map(([domain]) => domainName(domain))];
  const head = el('tr', {}, ...heads.map((words) => el('th', { scope: 'col' }, words)));
  const step = (rows.length - 1) / TABLE_ROWS;
  const body = Array.from({ length: TABLE_ROWS }, (_, index) => {
    const part = rows.slice(Math.round(index * step), Math.round((index + 1) * step));
    const time = now - (1 - (index + 1) / TABLE_ROWS) * seconds;
    const watts = domains.map(([, place]) => {
      const average = mean(part.map((row) => row[place - 1]).filter((value) => value >= 0));
      return el('td', {}, average >= 0 ? format.power(average) : NOT_YET);
    });
    return el('tr', {}, el('th', { scope: 'row' }, clock(time * 1000, host.locale, true)), ...watts);
  });
  table.replaceChildren(el('caption', {}, say('Mean power up to each time')), head, ...body);
  show(table, true);
}
