// @ts-check
// Clients: who is connected, what for, and how far they are.
import { empty, h, pill } from '../dom.js';
import { bytes, clientId, count, number, shortened, time } from '../format.js';
import { write } from '../json.js';
import { Table } from '../table.js';

/**
 * @param {HTMLElement} element
 * @param {import('../main.js').App} app
 * @returns {import('../main.js').Section}
 */
export function clients(element, { store }) {
  const summary = h('p', { class: 'muted' });
  const table = new Table({
    label: 'Connected clients',
    // A client can have several streams.
    key: (row) => `${row.user} ${row.client_id} ${row.connected_since} ${row.user_agent}`,
    sorted: { column: 'since', descending: true },
    columns: [
      { name: 'user', label: 'User', sort: (row) => row.user, cell: (row) => h('a', { href: `/inspect#preview/${encodeURIComponent(row.user)}` }, shortened(row.user, 30)) },
      { name: 'state', label: 'State', sort: (row) => row.behind_since ?? 0, cell: state },
      { name: 'streams', label: 'Streams', cell: (row) => h('ul', { class: 'chips' }, (row.streams ?? []).map(stream)) },
      { name: 'device', label: 'Device', sort: (row) => row.user_agent, cell: device },
      { name: 'since', label: 'Connected', sort: (row) => row.connected_since, cell: (row) => time(row.connected_since) },
      { name: 'checkpoint', label: 'Checkpoint', kind: 'number', sort: (row) => Number(row.checkpoint), cell: (row) => (row.checkpoint === null ? '–' : number(Number(row.checkpoint))) },
      { name: 'buckets', label: 'Buckets', kind: 'number', sort: (row) => row.buckets, cell: (row) => number(row.buckets) },
      { name: 'sent', label: 'Sent', kind: 'number', sort: (row) => row.bytes_sent, cell: (row) => h('div', {}, bytes(row.bytes_sent), h('p', { class: 'small muted' }, `${count(row.operations_sent, 'operation')}, ${count(row.lines_sent, 'line')}`)) },
    ],
    empty: empty('Nobody is connected. In development, open the playground, or run rowtide sync with a token from /dev/token?user=alice.'),
  });
  element.append(summary, h('div', { class: 'card' }, table.element));
  const update = () => {
    const { clients: connected, checkpoint, process, development } = store.status;
    const behind = connected.filter((/** @type {any} */ client) => client.behind_since !== null || client.complete_at === null).length;
    const newest = checkpoint ? `The newest checkpoint is ${number(Number(checkpoint.op_id))}.` : 'There is no checkpoint yet.';
    const alone = process ? ' Only clients of this process are shown; others serve their own.' : '';
    const text = connected.length === 0 ? newest + alone : `${count(connected.length, 'client')} connected, ${behind === 0 ? 'all up to date' : `${behind} still receiving`}. ${newest}${alone}`;
    if (summary.textContent !== text) summary.textContent = text;
    if (!development) table.none.textContent = 'Nobody is connected.';
    table.show(connected);
  };
  return { update };
}

/** @param {any} client */
function state({ behind_since: since, complete_at: at }) {
  if (since !== null) return h('span', { class: 'row tight' }, pill('warn', 'receiving'), h('span', { class: 'small muted' }, 'since ', time(since)));
  if (at === null) return pill('info', 'connecting');
  return h('span', { title: 'It has everything that its streams lead to. Later checkpoints changed nothing for it.' }, pill('good', 'up to date'));
}

/** @param {any} one */
function stream({ stream: name, default: isDefault, parameters }) {
  const text = parameters === null || Object.keys(parameters).length === 0 ? '' : ` ${write(parameters)}`;
  return h('li', { class: 'chip', title: isDefault ? 'Every client has it.' : 'The client has subscribed to it.' }, name, text && h('code', {}, shortened(text, 40)), isDefault ? null : h('span', { class: 'unseen' }, ' (subscribed)'));
}

/** @param {any} client */
function device({ client_id: id, user_agent: agent }) {
  const parts = [];
  if (id) parts.push(h('code', {}, clientId(id)));
  parts.push(h('span', { class: 'small muted' }, shortened(agent || 'does not say what it is', 36)));
  return h('div', {}, parts.map((part) => h('p', {}, part)));
}
