// Reconnecting: only what is missing is downloaded again.

import assert from 'node:assert/strict';
import { LISTS, STREAMS } from '../app/model.js';
import { within } from '../app/promises.js';
import { scenario } from '../app/scenario.js';

const NAMES = 'SELECT name FROM lists ORDER BY id';

scenario('after the service ends the stream', {}, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  const client = await stage.open();
  await client.sync();
  (await service.stream(1)).end();
  const second = await within(service.stream(2), 'the next connection');
  assert.deepEqual(second.request.buckets, [{ name: LISTS, after: '1' }]);
  source.put('lists', 'l2', { name: 'Garden' });
  await client.shows(NAMES, [{ name: 'Groceries' }, { name: 'Garden' }]);
  assert.equal(second.operations.length, 1);
});

scenario('in the middle of a download', {}, async (stage) => {
  const { service, source } = stage;
  service.operationsPerLine = 100;
  source.transaction(() => {
    for (let i = 0; i < 250; i++) source.put('lists', `l${i}`, { name: `List ${i}` });
  });
  const cut = service.hold((line) => line.data?.after === '200');
  const client = await stage.open();
  client.expectedErrors.push(/Sync error/);
  await client.connect();
  const first = await within(cut.reached, 'the third line of data');
  const arrived = (status) => status.downloadProgress?.downloadedOperations === 200;
  await client.status(arrived, 'the first two lines of data');
  assert.deepEqual(await client.rows('SELECT * FROM lists'), []);

  const seen = client.statuses.length;
  first.drop();
  const second = await within(service.stream(2), 'the next connection');
  await client.status((status) => status.hasSynced, 'the first sync');
  assert.deepEqual(second.request.buckets, [{ name: LISTS, after: '200' }]);
  assert.equal(second.operations.length, 50);
  assert.deepEqual(await client.rows('SELECT count(*) AS rows FROM lists'), [{ rows: 250 }]);
  const progress = client.statuses.slice(seen).filter((status) => status.downloadProgress !== null);
  const downloaded = progress.map((status) => status.downloadProgress.downloadedOperations);
  assert.deepEqual([...new Set(downloaded)], [200, 250]);
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
  const second = await service.stream(2);
  assert.deepEqual(second.request.buckets, [{ name: LISTS, after: '2' }]);
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

scenario('to a history that was compacted meanwhile', {}, async (stage) => {
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

scenario('to a new sync configuration: all buckets have new names, and no row vanishes in between', {}, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('lists', 'l2', { name: 'Garden' });
  const client = await stage.open();
  await client.sync();

  const renamed = '2#lists|0[]';
  service.commit(() => {
    for (const row of source.table('lists').values()) {
      service.bucket(renamed).put(service.nextOpId(), 'lists', row.id, JSON.stringify(row));
    }
  });
  source.routing = { ...source.routing, lists: () => renamed };
  const shown = client.shows(NAMES, [{ name: 'Groceries' }, { name: 'Garden' }, { name: 'Travel' }]);
  service.streams = { ...STREAMS, lists: { isDefault: true, buckets: () => [renamed] } };
  (await service.stream(1)).end();
  const second = await within(service.stream(2), 'the next connection');
  assert.deepEqual(second.request.buckets, [{ name: LISTS, after: '2' }]);
  source.put('lists', 'l3', { name: 'Travel' });
  const states = await shown;
  assert.ok(states.every((rows) => rows.length >= 2), JSON.stringify(states));
});
