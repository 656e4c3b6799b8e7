// @ts-check
// Numbers with units, and times, as people read them.
import { counted } from '../common.js';
import { h } from './dom.js';

export { counted as count } from '../common.js';

const NUMBER = new Intl.NumberFormat('en');
const SHORT = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** @param {number | null | undefined} value */
export function number(value) {
  return value === null || value === undefined ? '–' : NUMBER.format(value);
}

/** @param {number | null | undefined} value */
export function bytes(value) {
  if (value === null || value === undefined) return '–';
  let size = value;
  for (const unit of ['B', 'kB', 'MB', 'GB']) {
    if (size < 1000) return `${unit === 'B' ? NUMBER.format(Math.round(size)) : SHORT.format(size)} ${unit}`;
    size /= 1000;
  }
  return `${SHORT.format(size)} TB`;
}

/** @param {number} value per second */
export function rate(value) {
  return SHORT.format(value);
}

/** @param {number} microseconds */
export function duration(microseconds) {
  if (microseconds < 1000) return `${NUMBER.format(microseconds)} µs`;
  if (microseconds < 1e6) return `${SHORT.format(microseconds / 1000)} ms`;
  return seconds(microseconds / 1e6);
}

/** @param {number} value */
export function seconds(value) {
  if (value < 60) return `${SHORT.format(value)} s`;
  if (value < 3600) return `${NUMBER.format(Math.floor(value / 60))} min`;
  if (value < 86400) return `${NUMBER.format(Math.floor(value / 3600))} h`;
  return counted(Math.floor(value / 86400), 'day');
}

/**
 * A time as how long ago it was; which time exactly is in its title.
 * @param {number | null | undefined} microseconds since 1970
 */
export function time(microseconds) {
  if (!microseconds) return h('span', { class: 'muted' }, '–');
  const at = new Date(microseconds / 1000);
  return h('time', { datetime: at.toISOString(), title: at.toLocaleString(), class: 'ago' }, ago(at));
}

/** @param {Date} at */
function ago(at) {
  const passed = (Date.now() - at.getTime()) / 1000;
  return passed < 5 ? 'just now' : `${seconds(Math.floor(passed))} ago`;
}

/** Keeps the times of the page right. */
export function refreshTimes() {
  for (const element of document.querySelectorAll('time.ago')) {
    const text = ago(new Date(/** @type {HTMLTimeElement} */ (element).dateTime));
    if (element.textContent !== text) element.textContent = text;
  }
}

/**
 * A long text without its middle; the whole is in its title.
 * @param {string} text
 */
export function shortened(text, longest = 40) {
  if (text.length <= longest) return h('span', {}, text);
  return h('span', { title: text }, `${text.slice(0, longest - 1)}…`);
}

/**
 * The id of a client. Of random ones the beginning will do.
 * @param {string} id
 */
export function clientId(id) {
  return shortened(id, /^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(id) ? 9 : 28);
}
