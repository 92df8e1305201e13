// @ts-check
/*
 * The words of every state: one sentence, at most one action, and only those actions that the host can do. Pure, so that
 * the same words stand in the sidebar, inline and in tests.
 */
import { formatsOf } from './format.js';
import { PROTOCOL } from './store.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').State} State */
/**
 * @typedef {object} Action
 * @property {string} label
 * @property {() => void} press
 * @property {boolean} [main] The one thing to do here.
 */
/**
 * A state that takes the place of the figures.
 * @typedef {object} FaceWords
 * @property {string} title
 * @property {string} words
 * @property {string} [code] To be copied.
 * @property {Action} [action]
 * @property {Action} [then] Takes the action's place once it was pressed.
 * @property {boolean} [explained] Whether it says what starting does.
 * @property {boolean} [late] Shown only after half a second.
 */
/**
 * @typedef {object} NoticeWords
 * @property {string} words
 * @property {Action} [action]
 */

const INSTALL = '%pip install carbon-magic';
const UPGRADE = '%pip install --upgrade carbon-magic';

/**
 * @param {string} label
 * @param {(() => void) | undefined} act
 * @param {boolean} [main]
 * @returns {Action | undefined}
 */
function actionIf(label, act, main) {
  return act && { label, press: act, main };
}

/**
 * The time that a state speaks of: as the host gave it, else when the last word came.
 * @param {State} state
 * @param {Host} host
 * @param {boolean} seconds
 */
function timeOf(state, host, seconds) {
  return state.detail ?? (state.heard_at === null ? '' : clock(state.heard_at, host.locale, seconds));
}

/**
 * A time of day.
 * @param {number} milliseconds Since 1970.
 * @param {string} [locale]
 * @param {boolean} [seconds]
 * @returns {string}
 */
export function clock(milliseconds, locale, seconds = false) {
  /** @type {Intl.DateTimeFormatOptions} */
  const options = { hour: '2-digit', minute: '2-digit', ...(seconds ? { second: '2-digit' } : {}) };
  try {
    return new Date(milliseconds).toLocaleTimeString(locale, options);
  } catch {
    // A tag that is none, from a setting: the browser's own language instead.
    return new Date(milliseconds).toLocaleTimeString(undefined, options);
  }
}

/**
 * What stands in the place of the figures; null where the figures do.
 * @param {State} state
 * @param {Host} host
 * @returns {FaceWords | null}
 */
export function faceWords(state, host) {
  const { act } = host;
  const say = host.say.bind(host);
  switch (state.face) {
    case 'none':
      return { title: say('No notebook is open'), words: say('Open one to see what its cells cost.') };
    case 'language':
      return {
        title: state.detail ? say('This kernel runs %1', state.detail) : say('This kernel runs another language'),
        words: say('Tracking needs a Python kernel.'),
        action: actionIf(say('Change kernel…'), act.changeKernel?.bind(act)),
      };
    case 'off':
      return {
        title: say('Tracking is off in this kernel'),
        words: say(
          'Start it to see what each cell costs in energy and CO₂e. Cells that have already run are not counted.',
        ),
        action: actionIf(say('Start tracking'), act.start?.bind(act), true),
        explained: true,
      };
    case 'looking':
      return { title: say('Asking the kernel…'), words: '', late: true };
    case 'starting':
      return { title: say('Starting…'), words: '' };
    case 'refused':
      return {
        title: say('Tracking could not start'),
        words: asSentence(state.detail ? say(state.detail) : ''),
        action: actionIf(say('Try again'), (act.retry ?? act.start)?.bind(act)),
      };
    case 'missing':
      return {
        title: say('carbon-magic is not in this kernel’s environment'),
        words: say('Install it there, then try again:'),
        code: INSTALL,
        action: actionIf(say('Copy'), act.copy && (() => act.copy?.(INSTALL))),
        then: actionIf(say('Try again'), act.retry?.bind(act)),
      };
    case 'dead': {
      const at = timeOf(state, host, false);
      return {
        title: at ? say('The kernel died at %1', at) : say('The kernel died'),
        words: upToThen(state, host),
        action: actionIf(say('Restart kernel'), act.restart?.bind(act)),
      };
    }
    case 'ended': {
      const at = timeOf(state, host, false);
      return {
        title: at ? say('This session ended at %1', at) : say('This session has ended'),
        words: upToThen(state, host),
      };
    }
    default:
      return null;
  }
}

/**
 * @param {string} reason
 * @returns {string}
 */
function asSentence(reason) {
  const whole = reason.charAt(0).toUpperCase() + reason.slice(1);
  return !whole || /[.!?…]$/.test(whole) ? whole : `${whole}.`;
}

/**
 * @param {State} state
 * @param {Host} host
 * @returns {string}
 */
function upToThen(state, host) {
  const energy = state.totals?.energy_j;
  if (!energy) return host.say('Its records are kept.');
  const format = formatsOf(host);
  const grams = state.totals?.emissions_known ? state.totals.emissions_g : null;
  const figures = format.energyRange(energy, { digits: isMostlyMeasured(state) ? 3 : 2 }).best;
  if (!grams) return host.say('Up to then: %1. Its records are kept.', figures);
  return host.say('Up to then: %1, %2 CO₂e. Its records are kept.', figures, format.mass(grams[1]));
}

/**
 * Whether the live headline may have a third digit.
 * @param {State} state
 * @returns {boolean}
 */
export function isMostlyMeasured(state) {
  return (state.totals?.measured_part ?? 0) > 0.5;
}

/**
 * What stands in the one place for a notice, the most urgent first; null where there is nothing to say.
 * @param {State} state
 * @param {Host} host
 * @returns {NoticeWords | null}
 */
export function noticeWords(state, host) {
  const { act } = host;
  const say = host.say.bind(host);
  if (state.face === 'lost') {
    const since = timeOf(state, host, true);
    return { words: since ? say('No word from the kernel since %1.', since) : say('No word from the kernel.') };
  }
  if (state.face === 'versions') {
    return {
      words: say(
        'This panel speaks protocol %1, the kernel’s carbon-magic %2 speaks %3. Totals work; update it for the rest.',
        String(PROTOCOL),
        state.version ?? '?',
        state.detail ?? '?',
      ),
      action: actionIf(say('Copy'), act.copy && (() => act.copy?.(UPGRADE))),
    };
  }
  if (state.face !== 'tracking') return null;
  if (state.partial) {
    const [cell] = state.running;
    return {
      words: cell
        ? say('Chart and cells come back when cell %1 ends. The totals above stay live.', prompt(cell.execution_count))
        : say('Chart and cells come back when the cell ends. The totals above stay live.'),
    };
  }
  if (state.detail) return { words: state.detail };
  if (state.paused) {
    return {
      words: say('Paused while the kernel is idle. The next cell brings it up to date.'),
      action: actionIf(say('Keep live'), act.keepLive?.bind(act)),
    };
  }
  if (state.problems.length) return { words: state.problems[0] };
  return null;
}

/**
 * A cell's number as notebooks write it.
 * @param {number | null} count
 * @returns {string}
 */
export function prompt(count) {
  return count === null ? '[ ]' : `[${count}]`;
}
