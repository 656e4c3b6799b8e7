// The first sync: from an empty database to everything that the service has.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONFIG, fillWithMany, SEED } from '../app/example.js';
import { library } from '../app/library.js';
import { within } from '../app/promises.js';
import { modelled, scenario } from '../app/scenario.js';

test(`the library is version ${library.version}`, () => {
  assert.match(library.version, /^0\.5\.\d+\/[0-9a-z]{8}$/);
});

scenario('first sync', {}, async (stage) => {
  const { service, source } = stage;
  fillWithMany(source);
  const client = await stage.open();
  assert.equal(client.db.currentStatus.hasSynced, false);
  await client.sync();

  const stream = await service.stream(1);
  assert.deepEqual(stream.request, {
    buckets: [],
    include_checksum: true,
    raw_data: true,
    binary_data: true,
    client_id: await client.db.getClientId(),
    parameters: {},
    streams: { include_defaults: true, subscriptions: [] },
    app_metadata: {}
  });
  assert.equal(stream.operations.length, 2500);

  const [{ rows, ranks }] = await client.rows('SELECT count(*) AS rows, sum(rank) AS ranks FROM lists');
  assert.deepEqual([rows, ranks], [2500, (2500 * 2501) / 2]);
  assert.deepEqual(await client.rows("SELECT * FROM lists WHERE id = 'l7'"), [{ id: 'l7', name: 'List 7', rank: 7 }]);
  assert.deepEqual(await client.rows('SELECT * FROM ps_crud'), []);

  const progress = client.statuses.map((status) => status.downloadProgress).filter((value) => value !== null);
  const downloaded = [...new Set(progress.map((value) => value.downloadedOperations))];
  assert.deepEqual(downloaded, [0, 1000, 2000, 2500]);
  assert.deepEqual([...new Set(progress.map((value) => value.totalOperations))], [2500]);
  assert.equal(client.db.currentStatus.downloadProgress, null);
  assert.ok(client.db.currentStatus.lastSyncedAt instanceof Date);
});

scenario('as many connections as the SDK opens by default read while it syncs', {}, async (stage) => {
  const { source } = stage;
  const client = await stage.open({ readers: null });
  let synced = false;
  const reads = Array.from({ length: 10 }, async () => {
    const counts = [];
    while (!synced || counts.length === 0) {
      const [{ rows }] = await client.rows('SELECT count(*) AS rows FROM lists');
      counts.push(rows);
    }
    return counts;
  });
  source.transaction(() => {
    for (let i = 0; i < 200; i++) source.put('lists', `l${i}`, { name: `List ${i}` });
  });
  await client.sync();
  synced = true;
  const counts = await within(Promise.all(reads), 'the reads');
  assert.ok(counts.flat().every((count) => count === 0 || count === 200), String(counts));
  assert.deepEqual(await client.rows('SELECT count(*) AS rows FROM lists'), [{ rows: 200 }]);
});

const onDemand = { config: CONFIG.replace('auto_subscribe: true', 'auto_subscribe: false') };
scenario('first sync of nothing', onDemand, async (stage) => {
  stage.source.put('lists', 'l1', { name: 'Groceries' });
  const client = await stage.open();
  await client.sync();
  assert.deepEqual(await client.rows('SELECT * FROM lists'), []);
  assert.deepEqual(client.db.currentStatus.syncStreams, []);
});

scenario('what was synced is known after a restart, without a connection', {}, async (stage) => {
  stage.source.put('lists', 'l1', { name: 'Groceries', rank: 1 });
  const before = await stage.open();
  await before.sync();
  const { lastSyncedAt } = before.db.currentStatus;
  await before.close();

  const after = await stage.open();
  assert.equal(after.db.currentStatus.hasSynced, true);
  assert.deepEqual(after.db.currentStatus.lastSyncedAt, lastSyncedAt);
  assert.equal(after.db.currentStatus.connected, false);
  const lists = after.db.currentStatus.forStream({ name: 'lists', parameters: null });
  assert.deepEqual([lists.subscription.isDefault, lists.subscription.hasSynced], [true, true]);
  assert.deepEqual(await after.rows('SELECT name FROM lists'), [{ name: 'Groceries' }]);
});

/** Columns that take whatever they are given. */
const anything = { seed: SEED.replace('name TEXT, rank INTEGER', 'name, rank') };
scenario('values of every type', anything, async (stage) => {
  const { source } = stage;
  source.put('lists', 'integer', { name: 12n, rank: 12n });
  source.put('lists', 'largest', { name: 2n ** 63n - 1n, rank: 2n ** 63n - 1n });
  source.put('lists', 'text', { name: 'Äpfel "and" 🍐\n\\', rank: '7' });
  source.put('lists', 'real', { name: 1.5, rank: 2.5 });
  source.put('lists', 'whole real', { name: 3, rank: 3 });
  source.put('lists', 'null', { name: null, rank: null });
  source.put('lists', 'blob', { name: Buffer.from('left out'), rank: 1n });
  source.put('lists', 'nested', { name: '{"a":[1,null]}', rank: '[2]' });
  source.put('lists', 'needs quotes: \' " %', { name: '', rank: -9007199254740991n });
  const client = await stage.open();
  await client.sync();
  assert.deepEqual(await client.rows('SELECT id, name, CAST(rank AS TEXT) AS rank FROM lists ORDER BY id'), [
    { id: 'blob', name: null, rank: '1' },
    { id: 'integer', name: '12', rank: '12' },
    { id: 'largest', name: '9223372036854775807', rank: '9223372036854775807' },
    { id: 'needs quotes: \' " %', name: '', rank: '-9007199254740991' },
    { id: 'nested', name: '{"a":[1,null]}', rank: '0' },
    { id: 'null', name: null, rank: null },
    { id: 'real', name: '1.5', rank: '2' },
    { id: 'text', name: 'Äpfel "and" 🍐\n\\', rank: '7' },
    { id: 'whole real', name: '3.0', rank: '3' }
  ]);
});

modelled('values that JSON has and SQLite has not', {}, async (stage) => {
  const { source } = stage;
  source.put('lists', 'boolean', { name: true, rank: false });
  source.put('lists', 'absent', {});
  source.put('lists', 'nested', { name: { a: [1, null] }, rank: [2] });
  const client = await stage.open();
  await client.sync();
  assert.deepEqual(await client.rows('SELECT * FROM lists ORDER BY id'), [
    { id: 'absent', name: null, rank: null },
    { id: 'boolean', name: '1', rank: 0 },
    { id: 'nested', name: '{"a":[1,null]}', rank: 0 }
  ]);
});
