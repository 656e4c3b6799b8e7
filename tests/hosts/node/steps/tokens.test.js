// Tokens: refreshed before they expire, and replaced when the service does not take them any more.

import assert from 'node:assert/strict';
import { LISTS } from '../app/model.js';
import { within } from '../app/promises.js';
import { scenario } from '../app/scenario.js';

/** The number of a token such as `token-3`. */
const number = (token) => Number(token.split('-')[1]);

scenario('a token that expires soon is refreshed without an error', {}, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  const client = await stage.open();
  await client.sync();
  const first = await service.stream(1);
  await first.send({ token_expires_in: 25 });
  const second = await within(service.stream(2), 'the next connection');
  assert.ok(number(second.token) > number(first.token));
  assert.deepEqual(second.request.buckets, [{ name: LISTS, after: String(service.lastOpId) }]);
  source.put('lists', 'l2', { name: 'Garden' });
  await client.shows('SELECT name FROM lists ORDER BY id', [{ name: 'Groceries' }, { name: 'Garden' }]);
  await client.status((status) => status.connected, 'the connection');
  assert.ok(client.statuses.every((status) => status.downloadError === undefined));
});

scenario('a long-lived token is left alone', {}, async (stage) => {
  const { service, source } = stage;
  const client = await stage.open();
  await client.sync();
  await (await service.stream(1)).send({ token_expires_in: 3600 });
  source.put('lists', 'l1', { name: 'Groceries' });
  await client.shows('SELECT name FROM lists', [{ name: 'Groceries' }]);
  assert.equal(service.streamCount, 1);
  assert.equal(client.connector.credentialRequests, 1);
});

scenario('an expired token is replaced', {}, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  const client = await stage.open();
  await client.sync();
  const first = await service.stream(1);
  await first.send({ token_expires_in: 0 });
  first.end();
  const second = await within(service.stream(2), 'the next connection');
  assert.ok(number(second.token) > number(first.token));
  source.put('lists', 'l2', { name: 'Garden' });
  await client.shows('SELECT name FROM lists ORDER BY id', [{ name: 'Groceries' }, { name: 'Garden' }]);
});

scenario('a token that is refused is replaced', {}, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  service.accepts = (token) => number(token) >= 3;
  const client = await stage.open();
  client.expectedErrors.push(/401/, /Unauthorized/);
  await client.connect();
  await client.status((status) => status.hasSynced && status.downloadError === undefined, 'the first sync');
  assert.equal((await service.stream(1)).token, 'token-3');
  assert.deepEqual(await client.rows('SELECT name FROM lists'), [{ name: 'Groceries' }]);
});
