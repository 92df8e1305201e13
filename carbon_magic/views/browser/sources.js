// @ts-check
/*
 * Where the figures come from: for each domain and for the grid whether it was measured, modelled or assumed, by what,
 * and how far it may be off. The kernel's share of the machine is named as what it is, a convention.
 */
import { attr, button, el, keyed, setText, show, watch } from './dom.js';
import { formats, unbroken } from './format.js';
import { domainName } from './spark.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').Source} Source */

/**
 * The heading's answer: how much of the energy was measured.
 * @param {Host} host
 * @returns {string}
 */
export function sourcesAnswer(host) {
  const { totals, sources } = host.state();
  if (totals?.energy_j && totals.measured_part !== null) {
    return host.say('%1 measured', formats(host.locale).share(totals.measured_part));
  }
  const known = sources.filter((line) => line.domain !== 'grid' && line.provenance !== null);
  const measured = known.filter((line) => line.provenance === 'measured');
  const write = (/** @type {number} */ count) => formats(host.locale).number(count, 0);
  return known.length ? host.say('%1 of %2 measured', write(measured.length), write(known.length)) : '';
}

/**
 * @param {HTMLElement} root
 * @param {Host} host
 * @returns {() => void}
 */
export function mountSources(root, host) {
  const say = host.say.bind(host);
  const list = el('dl', { class: 'cbm-Known' });
  const convention = el(
    'p',
    { class: 'cbm-small' },
    say('This kernel’s share of the machine is a convention, not a measurement.'),
  );
  const problems = el('ul', { class: 'cbm-Problems cbm-small' });
  root.append(list, convention, problems);
  const { act } = host;
  if (act.doctor)
    root.append(
      el(
        'p',
        {},
        button(say('What would give better figures'), () => act.doctor?.()),
      ),
    );

  const draw = () => {
    const state = host.state();
    keyed(
      list,
      state.sources,
      (line, index) => `${line.domain}-${index}`,
      () => el('div', {}, el('dt'), el('dd', {}, el('span'), el('small'))),
      (node, line) => {
        const [name, what] = node.children;
        setText(name, line.domain === 'grid' ? say('Grid') : domainName(line.domain));
        const exception = line.provenance !== null && line.provenance !== 'measured';
        attr(what.children[0], 'class', exception ? `cbm-${line.provenance}` : '');
        setText(what.children[0], unbroken(line.state));
        setText(what.children[1], unbroken(line.words));
      },
    );
    keyed(
      problems,
      state.problems,
      (_words, index) => String(index),
      () => el('li'),
      (node, words) => setText(node, words),
    );
    show(problems, state.problems.length > 0);
  };
  return watch(root, host, draw);
}
