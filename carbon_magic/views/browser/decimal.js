// @ts-check
/*
 * Exact decimal rounding, as `carbon_magic/written.py` does it: a number is taken in the 12 digits that binary can be
 * trusted with, divided and rounded as a ratio of whole numbers, and only then turned into text. With floating point
 * alone a bound such as 0.3 that came out as 0.30000000000000004 would be rounded up to 0.31, and kernel and browser
 * would show different figures for the same joules.
 */

/** @typedef {{n: bigint, d: bigint}} Ratio Numerator and denominator, 0 or more. */
/** @typedef {'even' | 'floor' | 'ceiling'} Rounding */
/** @typedef {{q: bigint, e: number}} Rounded A whole number times a power of ten. */

/**
 * Ten to a power of 0 or more.
 * @param {number} exponent
 * @returns {bigint}
 */
export function powerOfTen(exponent) {
  return 10n ** BigInt(exponent);
}

/**
 * A number of 0 or more in its 12 leading digits, rounded half to even.
 * @param {number} value
 * @returns {Ratio}
 */
export function ratioOf(value) {
  if (!(value > 0) || value === Infinity) return { n: 0n, d: 1n };
  const [mantissa, power] = value.toExponential().split('e');
  const [whole, decimals = ''] = mantissa.split('.');
  let exponent = Number(power) - decimals.length;
  let digits = BigInt(whole + decimals);
  const surplus = whole.length + decimals.length - 12;
  if (surplus > 0) {
    digits = divided(digits, powerOfTen(surplus), 'even');
    exponent += surplus;
  }
  return exponent >= 0 ? { n: digits * powerOfTen(exponent), d: 1n } : { n: digits, d: powerOfTen(-exponent) };
}

/**
 * The quotient as a whole number.
 * @param {bigint} n
 * @param {bigint} d
 * @param {Rounding} rounding
 * @returns {bigint}
 */
export function divided(n, d, rounding) {
  const q = n / d;
  const twice = (n % d) * 2n;
  if (twice === 0n || rounding === 'floor') return q;
  if (rounding === 'ceiling') return q + 1n;
  return twice > d || (twice === d && q % 2n === 1n) ? q + 1n : q;
}

/**
 * The power of ten of the first digit; 0 for 0.
 * @param {Ratio} value
 * @returns {number}
 */
export function firstDigit({ n, d }) {
  if (n === 0n) return 0;
  let power = n.toString().length - d.toString().length;
  const below = power >= 0 ? n < d * powerOfTen(power) : n * powerOfTen(-power) < d;
  if (below) power -= 1;
  return power;
}

/**
 * The ratio as a multiple of ten to the power of `exponent`.
 * @param {Ratio} value
 * @param {number} exponent
 * @param {Rounding} rounding
 * @returns {Rounded}
 */
export function quantized({ n, d }, exponent, rounding) {
  const q =
    exponent < 0 ? divided(n * powerOfTen(-exponent), d, rounding) : divided(n, d * powerOfTen(exponent), rounding);
  return { q, e: exponent };
}

/**
 * In significant digits, with the last one between two powers of ten.
 * @param {Ratio} value
 * @param {{digits: number, finest: number, coarsest: number}} style
 * @param {Rounding} rounding
 * @returns {Rounded}
 */
export function significant(value, style, rounding) {
  let left = value;
  let result = { q: 0n, e: style.finest };
  // Rounding up may add a digit (9.96 to 10.0); the second pass takes the superfluous decimal away again.
  for (let pass = 0; pass < 2; pass += 1) {
    const wanted = left.n === 0n ? style.finest : firstDigit(left) - style.digits + 1;
    result = quantized(left, Math.min(Math.max(wanted, style.finest), style.coarsest), rounding);
    left = ratioOfRounded(result);
  }
  return result;
}

/**
 * @param {Rounded} value
 * @returns {Ratio}
 */
export function ratioOfRounded({ q, e }) {
  return e >= 0 ? { n: q * powerOfTen(e), d: 1n } : { n: q, d: powerOfTen(-e) };
}
