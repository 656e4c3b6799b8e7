// @ts-check
// Why a client has a row or not: sentences, and all conditions that were looked at, folded.
import { h, pill } from './dom.js';
import { write } from './json.js';

/**
 * @param {any} answer of the route explain
 * @param {string} user
 */
export function explanation(answer, user) {
  const verdict = answer.visible ? pill('good', `${user} has ${answer.type} ${answer.id}`) : pill('bad', `${user} does not have ${answer.type} ${answer.id}`);
  const steps = answer.steps.map((/** @type {any} */ step) => h('li', { class: step.remedy ? 'step wrong' : 'step' }, h('p', {}, step.text), step.remedy && h('p', { class: 'remedy' }, step.remedy)));
  const streams = answer.streams.flatMap((/** @type {any} */ stream) => stream.ways.map((/** @type {any} */ way) => streamTree(stream, way)));
  return h('div', { class: 'stack explanation' }, h('p', {}, verdict), h('ol', { class: 'steps' }, steps), streams.length > 0 && h('details', {}, h('summary', {}, 'All conditions that were looked at'), h('ul', { class: 'tree' }, streams)));
}

/**
 * @param {any} stream
 * @param {any} way
 */
function streamTree(stream, way) {
  const by = { default: 'every client has it', subscription: `subscription ${Number(way.subscription) + 1}`, 'not subscribed': 'the client does not subscribe to it' }[/** @type {string} */ (way.by)];
  return h('li', {}, h('strong', {}, `Stream ${stream.name}`), h('span', { class: 'muted' }, `, ${by}`), way.error && h('p', { class: 'bad-text' }, way.error), h('ul', {}, way.queries.map(queryTree)));
}

/** @param {any} query */
function queryTree(query) {
  const parts = [];
  for (const condition of query.row?.conditions ?? []) parts.push(conditionItem(condition, 'the row'));
  for (const condition of query.request.conditions ?? []) parts.push(conditionItem(condition, 'the request'));
  for (const name of query.lacks ?? []) parts.push(item(false, `The table has no column ${name}.`));
  if (query.problem) parts.push(item(false, query.problem));
  if (query.request.failure) parts.push(item(false, query.request.failure));
  for (const bucket of query.buckets) parts.push(bucketTree(bucket));
  return h('li', {}, `Query of ${query.source_table}`, h('ul', {}, parts));
}

/** @param {any} bucket */
function bucketTree(bucket) {
  const operation = bucket.operation ? `, stored as ${bucket.operation.op} ${bucket.operation.op_id}` : ', not stored';
  return h('li', {}, mark(bucket.has), 'Bucket ', h('code', { class: 'wrap' }, bucket.name), bucket.has ? ', which the client has' : ', which the client does not have', operation, bucket.links.length > 0 && h('ul', {}, bucket.links.map(linkItem)));
}

/** @param {any} link */
function linkItem(link) {
  const matches = (/** @type {any[]} */ list) => (list ?? []).map((one) => `${one.part} is ${write(one.has)}, and ${one.request} is ${write(one.asked)}`).join('; ');
  switch (link.kind) {
    case 'value':
      return item(link.holds, matches([link.match]));
    case 'element':
      return item(link.holds, `${write(link.wanted)} ${link.holds ? 'is in' : 'is not in'} ${link.list}`);
    case 'row':
      return item(link.holds, `the row ${write(link.row)} gives ${write(link.gives)}${link.by.length > 0 ? `: ${matches(link.by)}` : ''}`);
    case 'no row':
      return item(false, `no row has ${write(link.wanted)}`);
    default:
      return conditionItem(link.condition, '');
  }
}

/**
 * @param {any} condition
 * @param {string} of
 */
function conditionItem({ sql, values, holds, error }, of) {
  const with_ = Object.keys(values ?? {}).length > 0 ? `, with ${write(values)}` : '';
  return h('li', {}, mark(holds === true), of && h('span', { class: 'muted' }, `${of}: `), h('code', { class: 'wrap' }, sql), with_, error ? `: ${error}` : '');
}

/**
 * @param {boolean} holds
 * @param {string} text
 */
function item(holds, text) {
  return h('li', {}, mark(holds), text);
}

/** @param {boolean} holds */
function mark(holds) {
  return h('span', { class: holds ? 'mark holds' : 'mark fails' }, h('span', { 'aria-hidden': 'true' }, holds ? '✓ ' : '✗ '), h('span', { class: 'unseen' }, holds ? 'holds: ' : 'does not hold: '));
}
