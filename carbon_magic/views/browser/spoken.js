// @ts-check
/*
 * Units and times as they are read aloud: "41.3 watt-hours", "2 minutes 14 seconds". Labels are heard, so they say in
 * words what the eye sees as a sign.
 */

/** @typedef {(text: string, ...values: string[]) => string} Say */

/** @type {Record<string, string>} */
const SPOKEN_UNITS = {
  µWh: '%1 microwatt-hours',
  mWh: '%1 milliwatt-hours',
  Wh: '%1 watt-hours',
  kWh: '%1 kilowatt-hours',
  MWh: '%1 megawatt-hours',
  GWh: '%1 gigawatt-hours',
  TWh: '%1 terawatt-hours',
  µJ: '%1 microjoules',
  mJ: '%1 millijoules',
  J: '%1 joules',
  kJ: '%1 kilojoules',
  MJ: '%1 megajoules',
  GJ: '%1 gigajoules',
  TJ: '%1 terajoules',
  PJ: '%1 petajoules',
  µg: '%1 micrograms',
  mg: '%1 milligrams',
  g: '%1 grams',
  kg: '%1 kilograms',
  t: '%1 tonnes',
};

/**
 * @param {string} figure
 * @param {string} unit
 * @param {Say} say
 * @returns {string}
 */
export function spokenFigure(figure, unit, say) {
  const plain = figure.startsWith('≈') ? say('about %1', figure.slice(2)) : figure;
  return unit in SPOKEN_UNITS ? say(SPOKEN_UNITS[unit], plain) : `${plain} ${unit}`;
}

/**
 * Whole seconds gone.
 * @param {number} seconds
 * @param {Say} say
 * @param {(count: number) => string} write A whole number in the reader's digits.
 * @returns {string}
 */
export function spokenDuration(seconds, say, write) {
  const gone = Math.floor(seconds);
  const parts = [];
  const hours = Math.floor(gone / 3600);
  const minutes = Math.floor(gone / 60) % 60;
  if (hours) parts.push(hours === 1 ? say('1 hour') : say('%1 hours', write(hours)));
  if (minutes) parts.push(minutes === 1 ? say('1 minute') : say('%1 minutes', write(minutes)));
  if (!hours && (gone % 60 || !minutes)) parts.push(gone === 1 ? say('1 second') : say('%1 seconds', write(gone % 60)));
  return parts.join(' ');
}
