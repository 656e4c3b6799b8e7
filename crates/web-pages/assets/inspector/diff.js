// @ts-check
// What is different: between two texts, and between two configurations for clients.
import { h, pill } from './dom.js';
import { count, number } from './format.js';

/** Lines around a change. */
const CONTEXT = 2;
/** Longer texts are compared less exactly: their middle counts as changed. */
const MOST = 2000;

/** @typedef {{ kind: 'same' | 'gone' | 'new', text: string }} Line */

/**
 * The lines of both texts, in order.
 * @param {string} before
 * @param {string} after
 * @returns {Line[]}
 */
export function compared(before, after) {
  const [one, other] = [before.split('\n'), after.split('\n')];
  let start = 0;
  while (start < one.length && start < other.length && one[start] === other[start]) start++;
  let end = 0;
  while (end < one.length - start && end < other.length - start && one.at(-1 - end) === other.at(-1 - end)) end++;
  const same = (/** @type {string} */ text) => ({ kind: /** @type {const} */ ('same'), text });
  const middle = common(one.slice(start, one.length - end), other.slice(start, other.length - end));
  return [...one.slice(0, start).map(same), ...middle, ...one.slice(one.length - end).map(same)];
}

/**
 * @param {string[]} one
 * @param {string[]} other
 * @returns {Line[]}
 */
function common(one, other) {
  const gone = (/** @type {string} */ text) => ({ kind: /** @type {const} */ ('gone'), text });
  const fresh = (/** @type {string} */ text) => ({ kind: /** @type {const} */ ('new'), text });
  if (one.length > MOST || other.length > MOST) return [...one.map(gone), ...other.map(fresh)];
  // Lengths of the longest common beginnings of the rests.
  const width = other.length + 1;
  const lengths = new Uint16Array((one.length + 1) * width);
  for (let i = one.length - 1; i >= 0; i--) {
    for (let j = other.length - 1; j >= 0; j--) {
      lengths[i * width + j] = one[i] === other[j] ? lengths[(i + 1) * width + j + 1] + 1 : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  /** @type {Line[]} */
  const lines = [];
  let [i, j] = [0, 0];
  while (i < one.length || j < other.length) {
    if (i < one.length && j < other.length && one[i] === other[j]) {
      lines.push({ kind: 'same', text: one[i] });
      [i, j] = [i + 1, j + 1];
    } else if (j >= other.length || (i < one.length && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])) lines.push(gone(one[i++]));
    else lines.push(fresh(other[j++]));
  }
  return lines;
}

/**
 * What is different in two texts, with some lines around it.
 * @param {string} before
 * @param {string} after
 */
export function diff(before, after) {
  const lines = compared(before, after);
  const isNear = (/** @type {number} */ index) => lines.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1).some(({ kind }) => kind !== 'same');
  const words = { same: '', gone: 'removed: ', new: 'added: ' };
  const signs = { same: ' ', gone: '−', new: '+' };
  /** @type {HTMLElement[]} */
  const shown = [];
  lines.forEach(({ kind, text }, index) => {
    if (isNear(index)) shown.push(h('div', { class: `diff-line ${kind}` }, h('span', { 'aria-hidden': 'true' }, `${signs[kind]} `), h('span', { class: 'unseen' }, words[kind]), text || ' '));
    else if (shown.at(-1)?.className !== 'diff-gap') shown.push(h('div', { class: 'diff-gap' }, '⋯'));
  });
  return h('pre', { class: 'diff', tabindex: '0' }, shown);
}

/** @type {Record<string, [any, string]>} */
const STATES = { same: ['', 'stays'], changed: ['warn', 'changes'], new: ['good', 'is new'], dropped: ['bad', 'goes'] };

/**
 * What a deploy would do, in words.
 * @param {any} foretold the answer of the route dry-run
 */
export function changes({ streams, tables, snapshots, clients }) {
  const list = streams.map((/** @type {any} */ stream) => {
    const { definitions: counts } = stream;
    const parts = [counts.kept && `${count(counts.kept, 'bucket definition')} kept`, counts.building && `${count(counts.building, 'bucket definition')} being built`, counts.new && `${count(counts.new, 'bucket definition')} to be built`, counts.dropped && `${count(counts.dropped, 'bucket definition')} dropped`].filter(Boolean);
    return h('li', {}, pill(...(STATES[stream.state] ?? ['', stream.state])), h('span', {}, h('strong', {}, stream.name), h('span', { class: 'small muted' }, ` ${parts.join(', ')}`)));
  });
  const read = tables ?? snapshots.map((/** @type {string} */ name) => ({ name, rows: null }));
  const reading = read.length === 0 ? 'No table has to be read again: it is active at once.' : `To be read: ${read.map((/** @type {any} */ table) => (table.rows === null ? table.name : `${table.name} (about ${count(table.rows, 'row')})`)).join(', ')}.`;
  const { connected, kept, dropped, downloaded, unknown } = clients;
  const effect = connected === 0 ? 'No client is connected.' : `${count(connected, 'connected client')} together keep ${count(kept, 'bucket')}, remove ${number(dropped)} and download ${number(downloaded)}${unknown > 0 ? `; ${number(unknown)} of them may get more` : ''}.`;
  return h('section', { class: 'stack tight' }, h('h3', {}, 'What it does'), h('ul', { class: 'plain-list foretold' }, list), h('p', {}, reading), h('p', {}, effect));
}
