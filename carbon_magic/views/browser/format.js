// @ts-check
/*
 * How figures are written on screen: two significant digits, at most two decimals, a prefix that keeps them short, and
 * bounds that are rounded outwards in the unit of the best, which is not repeated: `1.7 g (1.3–3.4)`. The same rules,
 * digit by digit, as `carbon_magic/written.py`; only the decimal sign and the digits themselves are the reader's own.
 * Number and unit stand on one line.
 */
import { powerOfTen, ratioOf, significant } from './decimal.js';
import { energyStyle, INTENSITY, inUnit, MASS, PLAIN, POWER, prefixFor } from './units.js';

/** @typedef {import('./decimal.js').Ratio} Ratio */
/** @typedef {import('./decimal.js').Rounding} Rounding */
/** @typedef {import('./decimal.js').Rounded} Rounded */
/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').Range} Range */
/** @typedef {import('./units.js').EnergyUnit} EnergyUnit */
/** @typedef {import('./units.js').Style} Style */
/**
 * A figure with its bounds, each without a unit, and the unit they share.
 * @typedef {object} Written
 * @property {string} figure
 * @property {string} low
 * @property {string} high
 * @property {string} unit
 * @property {number} prefix The unit's place in its style.
 * @property {string} best `1.7 g`
 * @property {string} bounds `1.3–3.4`
 * @property {string} alone `1.3–3.4 g`: the range where no best is known.
 */

export const NBSP = '\u00a0';
/** Stands for a figure that will come. */
export const NOT_YET = '–';
export const CO2E = 'CO₂e';

/**
 * The text with its ranges kept on one line: a dash between figures is otherwise a place to break at.
 * @param {string} text
 * @returns {string}
 */
export function unbroken(text) {
  return text.replace(/(\S)–(?=\S)/g, '$1\u2060–\u2060');
}

/** @type {Map<string | undefined, Formats>} */
const MADE = new Map();

/**
 * The figures of one language, made once: what Intl needs for that takes longer than what it then writes.
 * @param {string} [locale] A BCP 47 tag; without it the browser's own.
 * @returns {Formats}
 */
export function formats(locale) {
  let made = MADE.get(locale);
  if (!made) MADE.set(locale, (made = makeFormats(locale)));
  return made;
}

/** @param {string} [locale] */
function makeFormats(locale) {
  /** @type {Map<number, Intl.NumberFormat>} */
  const byDecimals = new Map();

  /**
   * @param {number} value
   * @param {number} decimals
   */
  const number = (value, decimals) => {
    let format = byDecimals.get(decimals);
    if (!format) {
      const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
      try {
        format = new Intl.NumberFormat(locale, options);
      } catch {
        // A tag that is none, from a setting: the browser's own language instead.
        format = new Intl.NumberFormat(undefined, options);
      }
      byDecimals.set(decimals, format);
    }
    return format.format(value);
  };

  /** @param {Rounded} value */
  const text = ({ q, e }) => (e >= 0 ? number(Number(q * powerOfTen(e)), 0) : number(Number(q) / 10 ** -e, -e));

  /**
   * What is not 0 is not written as 0: `<0.01`.
   * @param {Ratio} value
   * @param {Style} style
   */
  const figure = (value, style) => {
    if (value.n === 0n) return number(0, 0);
    const rounded = significant(value, style, 'even');
    return rounded.q === 0n ? `<${text({ q: 1n, e: style.finest })}` : text(rounded);
  };

  /**
   * @param {Ratio} value
   * @param {Style} style
   * @param {Rounding} rounding
   */
  const bound = (value, style, rounding) => {
    const rounded = significant(value, style, rounding);
    return rounded.q === 0n ? number(0, 0) : text(rounded);
  };

  /**
   * @param {Range} range
   * @param {Style} style
   * @param {{digits?: number, atLeast?: number}} [headline]
   * @returns {Written}
   */
  const written = (range, style, headline = {}) => {
    const [low, best, high] = range.map(ratioOf);
    const prefix = Math.max(prefixFor(best.n ? best : high, style), headline.atLeast ?? 0);
    const unit = style.units[prefix];
    const main = figure(inUnit(best, unit), { ...style, digits: headline.digits ?? style.digits });
    const below = bound(inUnit(low, unit), style, 'floor');
    const above = bound(inUnit(high, unit), style, 'ceiling');
    return {
      figure: main,
      low: below,
      high: above,
      unit: unit.name,
      prefix,
      best: `${main}${NBSP}${unit.name}`,
      bounds: `${below}–${above}`,
      alone: `${below}–${above}${NBSP}${unit.name}`,
    };
  };

  /**
   * @param {number} value
   * @param {Style} style
   */
  const best = (value, style) => written([value, value, value], style).best;

  /**
   * Without zeros at the end of its decimals, where they would claim a precision that is not there.
   * @param {Ratio} value
   * @param {Style} style
   */
  const trimmed = (value, style) => {
    const rounded = significant(value, style, 'even');
    return rounded.q === 0n ? figure(value, style) : text(withoutZeros(rounded));
  };

  /**
   * @param {number} value
   * @param {Style} style
   */
  const about = (value, style) => {
    const exact = ratioOf(value);
    const unit = style.units[prefixFor(exact, style)];
    return `≈${NBSP}${trimmed(inUnit(exact, unit), style)}${NBSP}${unit.name}`;
  };

  /**
   * @param {number} count
   * @param {number} per
   * @param {string} large
   * @param {string} small
   */
  const twoUnits = (count, per, large, small) => {
    const first = `${number(Math.floor(count / per), 0)}${NBSP}${large}`;
    return count % per ? `${first} ${number(count % per, 0)}${NBSP}${small}` : first;
  };

  /** @param {number} fraction */
  const share = (fraction) => {
    const percent = halfEven(fraction * 100);
    return percent < 1 && fraction > 0 ? `<${number(1, 0)}${NBSP}%` : `${number(percent, 0)}${NBSP}%`;
  };

  return {
    number,
    /** Joules: `4.6 Wh`. @param {number} joules @param {EnergyUnit} [unit] */
    energy: (joules, unit) => best(joules, energyStyle(unit)),
    /** @param {Range} joules @param {{digits?: number, atLeast?: number}} [headline] @param {EnergyUnit} [unit] */
    energyRange: (joules, headline, unit) => written(joules, energyStyle(unit), headline),
    /** Grams: `0.19 g`. @param {number} grams */
    mass: (grams) => best(grams, MASS),
    /** @param {Range} grams @param {{digits?: number, atLeast?: number}} [headline] */
    massRange: (grams, headline) => written(grams, MASS, headline),
    /** A range of grams without a best, in the unit of the high. @param {number} low @param {number} high */
    massSpan: (low, high) => written([low, high, high], MASS),
    /** Grams without their unit, in the one of a column. @param {number} grams @param {number} prefix */
    massIn: (grams, prefix) => figure(inUnit(ratioOf(grams), MASS.units[prefix]), MASS),
    /** @param {number} prefix */
    massUnit: (prefix) => MASS.units[prefix].name,
    /** Watts, whole from 10: `176 W`. @param {number} watts */
    power: (watts) => best(watts, POWER),
    /** @param {Range} watts */
    powerRange: (watts) => written(watts, POWER),
    /** Whole g/kWh. @param {number} value */
    intensity: (value) => best(value, INTENSITY),
    /** @param {Range} value */
    intensityRange: (value) => written(value, INTENSITY),
    share,
    /** How many times as much: `0.68×`. @param {number} value */
    ratio: (value) => `${written([value, value, value], PLAIN).figure}×`,
    /** Bounds of a ratio, without the sign. @param {number} low @param {number} high */
    ratioRange: (low, high) => written([low, high, high], PLAIN).bounds,
    /**
     * How long something took: `0.04 s`, `18 s`, `1 min 34 s`, `2 h 14 min`, `3 d 4 h`.
     * @param {number} seconds
     */
    duration: (seconds) => {
      if (seconds < 59.5) return `${trimmed(ratioOf(seconds), PLAIN)}${NBSP}s`;
      if (seconds < 3599.5) return twoUnits(halfEven(seconds), 60, 'min', 's');
      if (seconds < 86370) return twoUnits(halfEven(seconds / 60), 60, 'h', 'min');
      return twoUnits(halfEven(seconds / 3600), 24, 'd', 'h');
    },
    /** How long something has been running, whole seconds gone: `2:14`, `1:02:14`. @param {number} seconds */
    running: (seconds) => {
      const gone = Math.floor(Math.max(seconds, 0));
      const two = (/** @type {number} */ part) => String(part).padStart(2, '0');
      const minutes = Math.floor(gone / 60);
      if (minutes < 60) return `${minutes}:${two(gone % 60)}`;
      return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(gone % 60)}`;
    },
    /**
     * Below its sensor's resolution: `≈ 0.3 mWh`. The sign means this and nothing else.
     * @param {number} joules
     * @param {EnergyUnit} [unit]
     */
    aboutEnergy: (joules, unit) => about(joules, energyStyle(unit)),
    /** @param {number} grams */
    aboutMass: (grams) => about(grams, MASS),
  };
}

/** @typedef {ReturnType<typeof makeFormats>} Formats */

/** @type {WeakMap<object, Formats & {notYetEnergy: () => string}>} */
const OF_HOSTS = new WeakMap();

/**
 * The figures as a host wants them: in its language, and energy in the unit that it wants at the time of writing.
 * @param {Pick<Host, 'locale' | 'unit'>} host
 */
export function formatsOf(host) {
  let made = OF_HOSTS.get(host);
  if (!made) {
    const format = formats(host.locale);
    made = {
      ...format,
      energy: (joules) => format.energy(joules, host.unit),
      energyRange: (joules, headline) => format.energyRange(joules, headline, host.unit),
      aboutEnergy: (joules) => format.aboutEnergy(joules, host.unit),
      notYetEnergy: () => NOT_YET + NBSP + energyStyle(host.unit).units[energyStyle(host.unit).base].name,
    };
    OF_HOSTS.set(host, made);
  }
  return made;
}

/**
 * @param {Rounded} value
 * @returns {Rounded}
 */
function withoutZeros({ q, e }) {
  let left = q;
  let exponent = e;
  while (exponent < 0 && left % 10n === 0n) {
    left /= 10n;
    exponent += 1;
  }
  return { q: left, e: exponent };
}

/**
 * To the nearest whole number, halves to the even one.
 * @param {number} value
 * @returns {number}
 */
export function halfEven(value) {
  const whole = Math.floor(value);
  const rest = value - whole;
  return rest > 0.5 || (rest === 0.5 && whole % 2 === 1) ? whole + 1 : whole;
}
