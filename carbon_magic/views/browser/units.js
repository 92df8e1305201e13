// @ts-check
/*
 * The units that figures are written in, smallest first, and which of them keeps a figure short: the largest in which it
 * is 0.1 or more (for watts from kW on 1 or more) after rounding to two digits.
 */
import { powerOfTen, ratioOfRounded, significant } from './decimal.js';

/** @typedef {import('./decimal.js').Ratio} Ratio */
/**
 * @typedef {object} Unit
 * @property {string} name
 * @property {Ratio} size In base units.
 * @property {[bigint, bigint]} least The least figure, as written, for which this unit is taken.
 */
/**
 * What a kind of figure is written in.
 * @typedef {object} Style
 * @property {Unit[]} units Smallest first.
 * @property {number} digits
 * @property {number} finest Power of ten of the last digit, at least.
 * @property {number} coarsest And at most: 0 writes every whole digit, where others stop at two.
 * @property {number} base Which unit a plain 0 is written in.
 */

/**
 * What energy is written in, as the setting has it: watt-hours with a prefix, plain watt-hours, or joules with a prefix.
 * @typedef {'auto' | 'Wh' | 'J'} EnergyUnit
 */

/**
 * @param {[string, number][]} units Name and power of ten.
 * @param {bigint} [factor] What a unit of power 0 has in base units.
 * @param {number} [wholeFrom] The unit from which on a figure is 1 or more.
 * @returns {Unit[]}
 */
function unitsOf(units, factor = 1n, wholeFrom = 99) {
  return units.map(([name, size], index) => ({
    name,
    size: size < 0 ? { n: factor, d: powerOfTen(-size) } : { n: factor * powerOfTen(size), d: 1n },
    least: index >= wholeFrom ? [1n, 1n] : [1n, 10n],
  }));
}

/**
 * @param {Unit[]} units
 * @param {Partial<Style>} [rules]
 * @returns {Style}
 */
function styleOf(units, rules = {}) {
  return { units, digits: 2, finest: -2, coarsest: 1000, base: 0, ...rules };
}

export const ENERGY = styleOf(
  unitsOf(
    [
      ['µWh', -6],
      ['mWh', -3],
      ['Wh', 0],
      ['kWh', 3],
      ['MWh', 6],
      ['GWh', 9],
      ['TWh', 12],
    ],
    3600n,
  ),
  { base: 2 },
);
/** Without a prefix a small figure has as many decimals as it needs. */
const WATT_HOURS = styleOf(unitsOf([['Wh', 0]], 3600n), { finest: -6 });
const JOULES = styleOf(
  unitsOf([
    ['µJ', -6],
    ['mJ', -3],
    ['J', 0],
    ['kJ', 3],
    ['MJ', 6],
    ['GJ', 9],
    ['TJ', 12],
    ['PJ', 15],
  ]),
  { base: 2 },
);
export const MASS = styleOf(
  unitsOf([
    ['µg', -6],
    ['mg', -3],
    ['g', 0],
    ['kg', 3],
    ['t', 6],
  ]),
  { base: 2 },
);
export const POWER = styleOf(
  unitsOf(
    [
      ['µW', -6],
      ['mW', -3],
      ['W', 0],
      ['kW', 3],
      ['MW', 6],
    ],
    1n,
    3,
  ),
  {
    coarsest: 0,
    base: 2,
  },
);
export const INTENSITY = styleOf(unitsOf([['g/kWh', 0]]), { finest: 0, coarsest: 0 });
export const PLAIN = styleOf(unitsOf([['', 0]]));

/**
 * @param {EnergyUnit} [unit]
 * @returns {Style}
 */
export function energyStyle(unit) {
  if (unit === 'J') return JOULES;
  return unit === 'Wh' ? WATT_HOURS : ENERGY;
}

/**
 * @param {Ratio} value
 * @param {Unit} unit
 * @returns {Ratio}
 */
export function inUnit(value, unit) {
  return { n: value.n * unit.size.d, d: value.d * unit.size.n };
}

/**
 * The largest unit in which the figure, rounded to two digits, is not too small; for 0 the base unit.
 * @param {Ratio} value
 * @param {Style} style
 * @returns {number}
 */
export function prefixFor(value, style) {
  if (value.n === 0n) return style.base;
  for (let index = style.units.length - 1; index > 0; index -= 1) {
    const unit = style.units[index];
    const two = ratioOfRounded(significant(inUnit(value, unit), { ...style, digits: 2, finest: -1000 }, 'even'));
    if (two.n * unit.least[1] >= unit.least[0] * two.d) return index;
  }
  return 0;
}
