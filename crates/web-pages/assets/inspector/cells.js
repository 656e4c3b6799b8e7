// @ts-check
// Values of rows as the service sends them: texts and small integers as themselves, everything else as an object that names it.
import { h } from './dom.js';
import { bytes, count } from './format.js';

const SHORT = 60;

/** @typedef {null | string | number | { integer: string } | { real: string } | { base64: string, bytes: number } | { text: string, bytes: number }} Cell */

/**
 * The text of a value; of a blob its size.
 * @param {any} value
 * @returns {string}
 */
export function textOf(value) {
  if (value === null) return 'NULL';
  if (typeof value !== 'object') return String(value);
  return value.integer ?? value.real ?? value.text ?? `${bytes(value.bytes)} of bytes`;
}

/**
 * Whether a value is sent in full, so that it can be edited.
 * @param {any} value
 */
export function isWhole(value) {
  return value === null || typeof value !== 'object' || value.bytes === undefined;
}

/**
 * What a cell of a table shows.
 * @param {any} value
 */
export function cellOf(value) {
  if (value === null) return h('span', { class: 'null' }, 'NULL');
  if (typeof value === 'number' || value.integer !== undefined || value.real !== undefined) return h('span', { class: 'figure' }, textOf(value));
  if (value.base64 !== undefined) return h('span', { class: 'null', title: hex(value.base64) }, textOf(value));
  const text = value.text ?? value;
  const isCut = value.text !== undefined;
  if (text.length <= SHORT && !isCut) return text;
  const note = isCut ? h('p', { class: 'muted small' }, `The first ${count(text.length, 'character')} of ${bytes(value.bytes)}.`) : null;
  return h('details', { class: 'fold' }, h('summary', {}, `${text.slice(0, SHORT - 1)}…`), h('div', { class: 'whole' }, text), note);
}

/** @param {string} base64 */
function hex(base64) {
  return `${[...atob(base64)].map((character) => character.charCodeAt(0).toString(16).padStart(2, '0')).join(' ')} …`;
}
