// Reconnecting: only what is missing is downloaded again.

import assert from 'node:assert/strict';
import { CONFIG, fillWithMany, firstLineOf, holdSecondLine, MANY } from '../app/example.js';
import { within } from '../app/promises.js';
import { modelled, scenario } from '../app/scenario.js';
import { LISTS } from '../model/example.js';

const NAMES = 'SELECT name FROM lists ORDER BY id';

scenario('after the service ends the stream', {}, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  const client = await stage.open();
  await client.sync();
  const first = await service.stream(1);
  first.end();
  const second = await within(service.stream(2), 'the next connection');
  assert.deepEqual(second.request.buckets, [{ name: first.buckets()[0], after: first.operations[0].op_id }]);
  source.put('lists', 'l2', { name: 'Garden' });
  await client.shows(NAMES, [{ name: 'Groceries' }, { name: 'Garden' }]);
  assert.equal(second.operations.length, 1);
});

scenario('in the middle of a download', {}, async (stage) => {
  const { service, source } = stage;
  fillWithMany(source);
  const cut = holdSecondLine(service);
  const client = await stage.open();
  client.expectedErrors.push(/Sync error/);
  await client.connect();
  const first = await within(cut.reached, 'the second line of data');
  await firstLineOf(client);
  assert.deepEqual(await client.rows('SELECT * FROM lists'), []);

  const seen = client.statuses.length;
  first.drop();
  const second = await within(service.stream(2), 'the next connection');
  await client.status((status) => status.hasSynced, 'the first sync');
  const [{ data }] = first.lines.filter((line) => line.data !== undefined);
  assert.deepEqual(second.request.buckets, [{ name: data.bucket, after: data.next_after }]);
  assert.equal(second.operations.length, MANY - 1000);
  assert.deepEqual(await client.rows('SELECT count(*) AS rows FROM lists'), [{ rows: MANY }]);
  const progress = client.statuses.slice(seen).filter((status) => status.downloadProgress !== null);
  const downloaded = progress.map((status) => status.downloadProgress.downloadedOperations);
  assert.deepEqual([...new Set(downloaded)], [1000, 2000, MANY]);
});

scenario('after a restart', {}, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('lists', 'l2', { name: 'Garden' });
  const before = await stage.open();
  await before.sync();
  await before.close();
  source.patch('lists', 'l1', { name: 'Shopping' });
  source.delete('lists', 'l2');

  const after = await stage.open();
  assert.deepEqual(await after.rows(NAMES), [{ name: 'Groceries' }, { name: 'Garden' }]);
  await after.connect();
  await after.shows(NAMES, [{ name: 'Shopping' }]);
  const [first, second] = [await service.stream(1), await service.stream(2)];
  assert.deepEqual(second.request.buckets, [{ name: first.buckets()[0], after: first.operations.at(-1).op_id }]);
  assert.equal(second.operations.length, 2);
});

scenario('disconnecting and connecting again', {}, async (stage) => {
  const { source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  const client = await stage.open();
  await client.sync();
  await client.db.disconnect();
  assert.equal(client.db.connected, false);
  source.put('lists', 'l2', { name: 'Garden' });
  await client.connect();
  await client.shows(NAMES, [{ name: 'Groceries' }, { name: 'Garden' }]);
});

modelled('to a history that was compacted meanwhile', {}, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('lists', 'l2', { name: 'Garden' });
  const before = await stage.open();
  await before.sync();
  await before.close();
  source.delete('lists', 'l1');
  source.put('lists', 'l3', { name: 'Travel' });
  source.patch('lists', 'l2', { name: 'Park' });
  source.patch('lists', 'l3', { name: 'Holidays' });
  service.bucket(LISTS).compact();

  const after = await stage.open();
  await after.connect();
  await after.shows(NAMES, [{ name: 'Park' }, { name: 'Holidays' }]);
  const second = await service.stream(2);
  assert.deepEqual(second.operations.map(({ op }) => op), ['CLEAR', 'PUT', 'PUT']);
  source.delete('lists', 'l2');
  await after.shows(NAMES, [{ name: 'Holidays' }]);
});

scenario('to a history whose superseded part is not sent', {}, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('lists', 'l2', { name: 'Garden' });
  const before = await stage.open();
  await before.sync();
  await before.close();
  // Each is a transaction of its own, and none is visible to anybody.
  source.delete('lists', 'l1');
  source.put('lists', 'l3', { name: 'Travel' });
  await before.connector.beforeConnect();
  source.patch('lists', 'l2', { name: 'Park' });
  source.patch('lists', 'l3', { name: 'Holidays' });

  const after = await stage.open();
  await after.connect();
  await after.shows(NAMES, [{ name: 'Park' }, { name: 'Holidays' }]);
  const second = await service.stream(2);
  const sent = second.operations.map(({ op, object_id: id }) => [op, id]);
  assert.deepEqual(sent, [['REMOVE', 'l1'], ['MOVE', undefined], ['PUT', 'l2'], ['PUT', 'l3']]);
});

scenario('to a new sync configuration: all buckets have new names, and no row vanishes in between', {}, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('lists', 'l2', { name: 'Garden' });
  const client = await stage.open();
  await client.sync();
  await client.db.disconnect();
  await stage.deploy(CONFIG.replace('SELECT * FROM lists', 'SELECT id, name, 7 AS rank FROM lists'));
  source.put('lists', 'l3', { name: 'Travel' });

  const names = [{ name: 'Groceries' }, { name: 'Garden' }, { name: 'Travel' }];
  const shown = client.shows('SELECT name FROM lists WHERE rank = 7 ORDER BY id', names);
  const all = client.shows(NAMES, names);
  await client.connect();
  await shown;
  const states = await all;
  assert.ok(states.every((rows) => rows.length >= 2), JSON.stringify(states));
  const [first, second] = [await service.stream(1), await service.stream(2)];
  assert.deepEqual(second.request.buckets.map(({ name }) => name), first.buckets());
  assert.equal(service.streamCount, 2);
});
