// @ts-check
// Builds elements. Texts become text nodes, so data of users is never markup.
import { drawn } from '../common.js';

export { setText } from '../common.js';

/** @typedef {Node | string | number | null | undefined | false} Part */

/**
 * An element: `h('button', { class: 'primary', onclick }, 'Save')`. What begins with `on` is a listener; true is an attribute
 * without a value, and false, null and undefined are none.
 * @param {string} name
 * @param {Record<string, any>} [properties]
 * @param {...(Part | Part[])} parts
 * @returns {any}
 */
export function h(name, properties = {}, ...parts) {
  return build(document.createElement(name), properties, parts);
}

/**
 * The same of SVG.
 * @param {string} name
 * @param {Record<string, any>} [properties]
 * @param {...(Part | Part[])} parts
 * @returns {any}
 */
export function svg(name, properties = {}, ...parts) {
  return build(document.createElementNS('http://www.w3.org/2000/svg', name), properties, parts);
}

/**
 * @param {Element} element
 * @param {Record<string, any>} properties
 * @param {(Part | Part[])[]} parts
 */
function build(element, properties, parts) {
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'value') /** @type {HTMLInputElement} */ (element).value = value;
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, String(value));
  }
  element.append(...clean(parts));
  return element;
}

/**
 * @param {(Part | Part[])[]} parts
 * @returns {(Node | string)[]}
 */
function clean(parts) {
  return /** @type {any[]} */ (parts.flat(3)).filter((part) => part !== null && part !== undefined && part !== false).map((part) => (part instanceof Node ? part : String(part)));
}

/**
 * Replaces what is in an element.
 * @param {Element} element
 * @param {...(Part | Part[])} parts
 */
export function fill(element, ...parts) {
  element.replaceChildren(...clean(parts));
}

/** Paths of icons, 24 wide. @type {Record<string, string>} */
const ICONS = {
  overview: 'M3 12h4l3-8 4 16 3-8h4',
  source: 'M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3zm0 0v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3',
  buckets: 'M4 7l8-4 8 4-8 4zM4 12l8 4 8-4M4 17l8 4 8-4',
  clients: 'M3 5h11v9H3zM1 18h13M17 9h5v10h-5z',
  preview: 'M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
  writes: 'M12 20h9M16.5 3.5a2.1 2.1 0 0 1 3 3L7 19l-4 1 1-4z',
  config: 'M4 6h10M18 6h2M4 12h2M10 12h10M4 18h7M15 18h5M16 4v4M8 10v4M13 16v4',
  faults: 'M13 2L4 14h7l-1 8 9-12h-7z',
};

/**
 * One of these icons.
 * @param {string} name
 */
export const icon = (name) => drawn(ICONS[name]);

/**
 * A state: a colour and a word.
 * @param {'good' | 'warn' | 'bad' | 'info' | ''} tone
 * @param {...Part} parts
 */
export function pill(tone, ...parts) {
  return h('span', { class: `pill ${tone}`.trim() }, parts);
}

/**
 * What is said where there is nothing, and what to do about it.
 * @param {...Part} parts
 */
export function empty(...parts) {
  return h('p', { class: 'empty' }, parts);
}

/** @param {{ description?: string, message?: string }} error */
export function failure(error) {
  return h('p', { class: 'note bad', role: 'alert' }, error.description ?? error.message ?? String(error));
}

let ids = 0;

/** An id that no other element has. */
export function id(prefix = 'id') {
  return `${prefix}-${++ids}`;
}
