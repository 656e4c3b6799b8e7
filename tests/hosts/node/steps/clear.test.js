// Signing out and in again: disconnectAndClear, hard and soft, and the sync after it.

import assert from 'node:assert/strict';
import { column, Table } from '@powersync/common';
import { LISTS, TABLES } from '../app/model.js';
import { scenario } from '../app/scenario.js';

const NAMES = 'SELECT name FROM lists ORDER BY id';

const withDrafts = { tables: { ...TABLES, drafts: new Table({ text: column.text }, { localOnly: true }) } };

async function syncedClient(stage) {
  stage.source.put('lists', 'l1', { name: 'Groceries' });
  stage.source.put('lists', 'l2', { name: 'Garden' });
  const client = await stage.open();
  await client.db.execute("INSERT INTO drafts (id, text) VALUES ('d1', 'mine')");
  await client.sync();
  return client;
}

for (const soft of [false, true]) {
  const kind = soft ? 'soft' : 'hard';

  scenario(`${kind} clear: nothing shows, and the next sync brings everything back`, withDrafts, async (stage) => {
    const { service, source } = stage;
    const client = await syncedClient(stage);
    const clientId = await client.db.getClientId();
    await client.db.syncStream('todos', { list: 'l1' }).subscribe();
    await client.db.disconnect();
    await client.db.execute("INSERT INTO lists (id, name) VALUES ('l3', 'Never uploaded')");
    await client.db.disconnectAndClear({ clearLocal: true, soft });

    assert.deepEqual(await client.rows('SELECT * FROM lists'), []);
    assert.deepEqual(await client.rows('SELECT * FROM drafts'), []);
    assert.equal((await client.db.getUploadQueueStats()).count, 0);
    assert.equal(client.db.currentStatus.hasSynced, false);
    assert.deepEqual(client.db.currentStatus.syncStreams, []);
    assert.deepEqual(client.connector.uploads, []);
    const connections = service.streamCount;

    source.put('lists', 'l4', { name: 'Travel' });
    await client.sync();
    const names = [{ name: 'Groceries' }, { name: 'Garden' }, { name: 'Travel' }];
    assert.deepEqual(await client.rows(NAMES), names);
    const stream = await service.stream(connections + 1);
    assert.equal(stream.request.client_id, clientId);
    if (soft) {
      assert.deepEqual(stream.request.buckets.map(({ name }) => name), [LISTS]);
      assert.ok(stream.operations.length < service.bucket(LISTS).operations.length);
    } else {
      assert.deepEqual(stream.request.buckets, []);
      assert.equal(stream.operations.length, service.bucket(LISTS).operations.length);
    }
    await client.db.execute("UPDATE lists SET name = 'Shopping' WHERE id = 'l1'");
    await client.uploaded();
    assert.equal(source.table('lists').get('l1').name, 'Shopping');
  });

  scenario(`${kind} clear keeps local-only tables if told so`, withDrafts, async (stage) => {
    const client = await syncedClient(stage);
    await client.db.disconnectAndClear({ clearLocal: false, soft });
    assert.deepEqual(await client.rows('SELECT * FROM lists'), []);
    assert.deepEqual(await client.rows('SELECT text FROM drafts'), [{ text: 'mine' }]);
  });

  scenario(`${kind} clear, then another user with other buckets`, withDrafts, async (stage) => {
    const { service, source } = stage;
    const client = await syncedClient(stage);
    await client.db.disconnectAndClear({ clearLocal: true, soft });
    const theirs = '1#lists|0["other"]';
    service.streams = { lists: { isDefault: true, buckets: () => [theirs] } };
    source.routing = { lists: () => theirs };
    source.put('lists', 'o1', { name: 'Theirs' });
    const shown = client.shows(NAMES, [{ name: 'Theirs' }]);
    await client.sync();
    const states = await shown;
    assert.ok(states.flat().every(({ name }) => name === 'Theirs'), JSON.stringify(states));
    assert.deepEqual(await client.rows('SELECT name FROM ps_buckets'), [{ name: theirs }]);
  });

  scenario(`${kind} clear, and checkpoint requests go on above the old ids`, withDrafts, async (stage) => {
    const { service } = stage;
    const client = await syncedClient(stage);
    await client.db.disconnect();
    await client.connect({ checkpointMode: 'requests' });
    for (const name of ['a', 'b', 'c']) {
      await client.db.execute("UPDATE lists SET name = ? WHERE id = 'l1'", [name]);
      await client.uploaded();
    }
    const clientId = await client.db.getClientId();
    const before = BigInt(service.writeCheckpoint(clientId));
    await client.db.disconnectAndClear({ clearLocal: true, soft });
    await client.sync({ checkpointMode: 'requests' });
    await client.db.execute("UPDATE lists SET name = 'd' WHERE id = 'l1'");
    await client.uploaded();
    assert.ok(BigInt(service.writeCheckpoint(clientId)) > before);
  });
}

const keys = 'it erases the keys of kept data when the SDK repairs them after a soft clear, and loses removals';
scenario('soft clear: rows deleted afterwards vanish', { ...withDrafts, ours: keys }, async (stage) => {
  const { source } = stage;
  const client = await syncedClient(stage);
  await client.db.disconnectAndClear({ clearLocal: true, soft: true });
  await client.sync();
  assert.deepEqual(await client.rows(NAMES), [{ name: 'Groceries' }, { name: 'Garden' }]);
  source.delete('lists', 'l1');
  await client.shows(NAMES, [{ name: 'Garden' }]);
});
