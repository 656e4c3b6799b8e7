// @ts-check
// JSON as people read it: short values in a line, long ones folded. Integers that JavaScript cannot hold keep their digits.
import { h } from './dom.js';

const SHORT = 72;

/**
 * @param {string} text
 * @returns {any}
 */
export function parse(text) {
  const exact = (/** @type {string} */ _, /** @type {any} */ value, /** @type {any} */ context) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '') ? BigInt(context.source) : value;
  return JSON.parse(text, /** @type {any} */ (exact));
}

/**
 * @param {any} value
 * @param {number} [indent]
 */
export function write(value, indent) {
  const marked = JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `\u0000${one}\u0000` : one), indent) ?? 'null';
  return marked.replaceAll(/"\\u0000(-?\d+)\\u0000"/g, '$1');
}

/**
 * The text of a JSON value, folded if it is long. `size` is how many bytes it has, if the text is only its beginning.
 * @param {string} text
 * @param {number} [size]
 */
export function json(text, size) {
  const isCut = size !== undefined && new TextEncoder().encode(text).length < size;
  const pretty = isCut ? `${text}…` : prettied(text);
  if (text.length <= SHORT && !isCut) return h('code', { class: 'json' }, text);
  const note = isCut ? h('p', { class: 'muted small' }, `The beginning of ${size} bytes.`) : null;
  return h('details', { class: 'fold' }, h('summary', {}, h('code', {}, `${text.slice(0, SHORT - 1)}…`)), h('pre', { tabindex: '0' }, pretty), note);
}

/** @param {string} text */
function prettied(text) {
  try {
    return write(parse(text), 2);
  } catch {
    return text;
  }
}
