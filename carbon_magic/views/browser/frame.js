// @ts-check
/*
 * The panel as a whole: header, totals or the state that stands in their place, one place for one notice, and four
 * sections that open and close. A closed section keeps its answer in its heading. The same in JupyterLab's sidebar and
 * inline: what a host cannot do is not shown.
 */
import { cellsAnswer, mountCells } from './cells.js';
import { attr, button, el, icon, setText, show, watch } from './dom.js';
import { faceWords, noticeWords } from './faces.js';
import { formats, NOT_YET } from './format.js';
import { mountSources, sourcesAnswer } from './sources.js';
import { mountSpark } from './spark.js';
import { mountTotals } from './totals.js';
import { mountWhatIf, whatIfAnswer } from './whatif.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').State} State */
/** @typedef {import('./types.js').Mount} Mount */
/** @typedef {import('./faces.js').FaceWords} FaceWords */

/**
 * @typedef {object} Section
 * @property {HTMLElement} element
 * @property {HTMLElement} body
 * @property {(answer: () => string) => void} answer Its words, which are made only where they are shown.
 * @property {() => boolean} isOpen
 */

/**
 * Draws the whole panel into `root`.
 * @param {HTMLElement} root
 * @param {Host} host
 * @param {{chart?: HTMLElement}} [parts] The host's own live chart: while this holds nothing, the panel draws a small one.
 * @returns {() => void} Takes it away.
 */
export function mount(root, host, parts = {}) {
  const say = host.say.bind(host);
  const name = el('span', { class: 'cbm-Header-name' });
  const header = el('div', { class: 'cbm-Header' }, el('h2', {}, say('Carbon')), name);
  const { act } = host;
  const out = act.popOut && iconButton('out', say('Show in the notebook area'), () => act.popOut?.());
  const menu = act.menu && iconButton('menu', say('More'), () => menu && act.menu?.(menu));
  if (menu) attr(menu, 'aria-haspopup', 'menu');
  header.append(...[out, menu].filter((node) => node !== undefined));

  const face = el('div', { class: 'cbm-Face', hidden: true });
  const totals = el('div', { class: 'cbm-Totals', role: 'region', tabindex: '-1' });
  attr(totals, 'aria-label', say('Session totals'));
  const noticeText = el('span');
  const noticeAction = el('span');
  const notice = el('div', { class: 'cbm-Notice', hidden: true }, noticeText, noticeAction);

  const power = section(host, 'power', say('Power'), true);
  const cells = section(host, 'cells', say('Cells'), true, true);
  const whatIf = section(host, 'whatif', say('What if elsewhere'), false);
  const sources = section(host, 'sources', say('Sources'), false);
  const panel = el('div', { class: 'cbm-Panel' }, header, face, totals, notice);
  panel.append(power.element, cells.element, whatIf.element, sources.element);
  root.append(panel);

  const spark = el('div');
  const { chart } = parts;
  if (chart) power.body.append(chart);
  power.body.append(spark);
  const charted = () => show(spark, !chart?.childElementCount);
  const filled = new MutationObserver(charted);
  if (chart) filled.observe(chart, { childList: true });
  charted();

  let drawnFace = '';
  const draw = () => {
    const state = host.state();
    const words = faceWords(state, host);
    let hadFocus = false;
    setText(name, state.notebook ?? '');
    attr(name, 'title', state.notebook ?? undefined);
    const faceNow = words ? JSON.stringify([state.face, words.title, words.words, words.code]) : '';
    if (faceNow !== drawnFace) {
      drawnFace = faceNow;
      hadFocus = face.contains(document.activeElement);
      face.replaceChildren(...(words ? faceNodes(words, host) : []));
      attr(face, 'class', words?.late ? 'cbm-Face cbm-mod-late' : 'cbm-Face');
    }
    show(face, words !== null);
    show(totals, words === null);
    if (out) show(out, words === null);
    if (menu) show(menu, words === null);
    // Whoever pressed "Start" by keyboard goes on where its answer is.
    if (hadFocus) (words ? (face.querySelector('button') ?? face.querySelector('h3')) : totals)?.focus();

    drawNotice(state);
    const over = state.face === 'dead' || state.face === 'ended';
    const known = words === null || (over && state.totals !== null);
    const whole = known && state.face !== 'versions';
    show(power.element, whole && !state.partial && !over);
    show(cells.element, whole && !state.partial);
    show(whatIf.element, known && state.region !== null);
    show(sources.element, whole && state.sources.length > 0);
    power.answer(() => powerAnswer(state, host));
    cells.answer(() => cellsAnswer(host, cells.isOpen()));
    whatIf.answer(() => whatIfAnswer(host));
    sources.answer(() => sourcesAnswer(host));
  };

  let drawnNotice = '';
  /** @param {State} state */
  function drawNotice(state) {
    const words = noticeWords(state, host);
    show(notice, words !== null);
    setText(noticeText, words?.words ?? '');
    const key = words?.action ? words.action.label : '';
    if (key === drawnNotice) return;
    drawnNotice = key;
    noticeAction.replaceChildren(...(words?.action ? [button(words.action.label, words.action.press)] : []));
  }

  const ends = [
    watch(panel, host, draw),
    mountTotals(totals, host),
    mountSpark(spark, host),
    mountCells(cells.body, host),
    mountWhatIf(whatIf.body, host),
    mountSources(sources.body, host),
  ];
  return () => {
    for (const end of ends) end();
    filled.disconnect();
    panel.remove();
  };

  /**
   * A disclosure: a heading with a button, and what it opens.
   * @param {Host} owner
   * @param {string} key
   * @param {string} title
   * @param {boolean} openAtFirst
   * @param {boolean} [always] Whether it is answered while it is open, too.
   * @returns {Section}
   */
  function section(owner, key, title, openAtFirst, always = false) {
    const remembered = owner.recall(`open.${key}`);
    let open = typeof remembered === 'boolean' ? remembered : openAtFirst;
    const id = `cbm-${key}-${Math.random().toString(36).slice(2)}`;
    const aside = el('span', { class: 'cbm-Section-aside cbm-small' });
    const toggle = el('button', { type: 'button', class: 'cbm-Section-toggle', 'aria-controls': id });
    toggle.append(icon('caret', 'cbm-Section-caret'), el('span', { class: 'cbm-Section-title' }, title), aside);
    const body = el('div', { class: 'cbm-Section-body', id });
    const element = el('section', { class: 'cbm-Section' }, el('h3', {}, toggle), body);
    const drawOpen = () => {
      attr(toggle, 'aria-expanded', String(open));
      show(body, open);
    };
    toggle.addEventListener('click', () => {
      open = !open;
      owner.remember(`open.${key}`, open);
      drawOpen();
      draw();
    });
    drawOpen();
    return {
      element,
      body,
      isOpen: () => open,
      answer: (words) => setText(aside, open && !always ? '' : words()),
    };
  }
}

/**
 * @param {'out' | 'menu'} picture
 * @param {string} label
 * @param {() => void} press
 * @returns {HTMLButtonElement}
 */
function iconButton(picture, label, press) {
  const node = button('', press, 'cbm-iconButton');
  attr(node, 'title', label);
  attr(node, 'aria-label', label);
  node.append(icon(picture));
  return node;
}

/**
 * @param {FaceWords} words
 * @param {Host} host
 * @returns {Node[]}
 */
function faceNodes(words, host) {
  /** @type {Node[]} */
  const nodes = [el('h3', { tabindex: '-1' }, words.title)];
  if (words.words) nodes.push(el('p', {}, words.words));
  if (words.code) nodes.push(el('code', { class: 'cbm-mod-block' }, words.code));
  const { action, then } = words;
  const pressed = action ?? then;
  if (pressed) {
    const node = button(
      pressed.label,
      () => {
        if (then && action && node.textContent === action.label) {
          action.press();
          setText(node, then.label);
        } else (then ?? pressed).press();
      },
      pressed.main ? 'cbm-button' : 'cbm-button cbm-mod-plain',
    );
    nodes.push(node);
  }
  if (words.explained && action) {
    const small = el(
      'small',
      {},
      ...withCode(host.say('Runs %1. Prints nothing, sends nothing; records stay on this machine.', '\u0001')),
    );
    const { act } = host;
    if (act.alwaysStart)
      small.append(
        ' ',
        button(host.say('Always start'), () => act.alwaysStart?.()),
      );
    nodes.push(small);
  }
  return nodes;
}

/**
 * The sentence with the command as code in its place.
 * @param {string} sentence
 * @returns {(string | Node)[]}
 */
function withCode(sentence) {
  const [before, after = ''] = sentence.split('\u0001');
  return [before, el('code', {}, '%load_ext carbon_magic'), after];
}

/**
 * @param {State} state
 * @param {Host} host
 * @returns {string}
 */
function powerAnswer(state, host) {
  const power = state.totals?.power_w ?? null;
  return host.say('%1 now', power === null ? NOT_YET : formats(host.locale).power(power));
}
