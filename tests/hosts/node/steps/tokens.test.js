// Tokens: refreshed before they expire, and replaced when the service does not take them any more.

import assert from 'node:assert/strict';
import { within } from '../app/promises.js';
import { modelled, scenario } from '../app/scenario.js';
import { tokenOf } from '../service/token.js';

const NAMES = 'SELECT name FROM lists ORDER BY id';

scenario('a token that expires soon is refreshed without an error', {}, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  const client = await stage.open();
  client.connector.token = (number) => tokenOf('user', { lifetime: number === 1 ? 15 : 3600 });
  client.connector.beforeCredentials = async () => {
    if (service.streamCount === 1) await client.status((status) => status.hasSynced, 'the first sync');
  };
  await client.sync();
  const [first, second] = [await service.stream(1), await within(service.stream(2), 'the next connection')];
  assert.notEqual(second.token, first.token);
  source.put('lists', 'l2', { name: 'Garden' });
  await client.shows(NAMES, [{ name: 'Groceries' }, { name: 'Garden' }]);
  await client.status((status) => status.connected, 'the connection');
  assert.ok(client.statuses.every((status) => status.downloadError === undefined));
  assert.equal(service.streamCount, 2);
  assert.equal(first.lines.filter((line) => line.token_expires_in !== undefined).length, 1, 'it is said once');
  const received = [...first.operations, ...second.operations].map(({ object_id: id }) => id);
  assert.deepEqual(received, ['l1', 'l2'], 'nothing comes twice');
});

scenario('a token that expires while the application has no other: the sync goes on with the next', {}, async (stage) => {
  const { service, source } = stage;
  const client = await stage.open();
  client.connector.token = (number) => tokenOf('user', { lifetime: number === 1 ? 2 : 3600 });
  client.connector.beforeCredentials = async () => {
    if (service.streamCount === 1) await (await service.stream(1)).closed;
  };
  client.expectedErrors.push(/Sync error/);
  source.put('lists', 'l1', { name: 'Groceries' });
  await client.sync();
  const [first, second] = [await service.stream(1), await within(service.stream(2), 'the next connection')];
  assert.equal(first.lines.at(-1).token_expires_in, 0, JSON.stringify(first.lines));
  assert.notEqual(second.token, first.token);
  source.put('lists', 'l2', { name: 'Garden' });
  await client.shows(NAMES, [{ name: 'Groceries' }, { name: 'Garden' }]);
  const received = [...first.operations, ...second.operations].map(({ object_id: id }) => id);
  assert.deepEqual(received, ['l1', 'l2'], 'nothing comes twice');
});

scenario('a token that is refused is replaced', {}, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  const client = await stage.open();
  client.connector.token = (number) => (number < 3 ? `${tokenOf('user')}x` : tokenOf('user'));
  client.expectedErrors.push(/401/, /Unauthorized/);
  await client.connect();
  await client.status((status) => status.hasSynced && status.downloadError === undefined, 'the first sync');
  assert.equal(client.connector.credentialRequests, 3);
  assert.equal(service.streamCount, 1);
  assert.deepEqual(await client.rows(NAMES), [{ name: 'Groceries' }]);
});

modelled('a long-lived token is left alone', {}, async (stage) => {
  const { service, source } = stage;
  const client = await stage.open();
  await client.sync();
  await (await service.stream(1)).send({ token_expires_in: 3600 });
  source.put('lists', 'l1', { name: 'Groceries' });
  await client.shows('SELECT name FROM lists', [{ name: 'Groceries' }]);
  assert.equal(service.streamCount, 1);
  assert.equal(client.connector.credentialRequests, 1);
});
