// Signing out and in again: disconnectAndClear, hard and soft, and the sync after it.

import assert from 'node:assert/strict';
import { column, Table } from '@powersync/common';
import { SEED, TABLES } from '../app/example.js';
import { scenario } from '../app/scenario.js';

const NAMES = 'SELECT name FROM lists ORDER BY id';

const withDrafts = { tables: { ...TABLES, drafts: new Table({ text: column.text }, { localOnly: true }) } };

const ofUsers = {
  ...withDrafts,
  seed: SEED.replace('rank INTEGER', "rank INTEGER, owner TEXT DEFAULT 'user'"),
  config: `config: {edition: 3}
streams:
  lists: {auto_subscribe: true, query: SELECT * FROM lists WHERE owner = auth.user_id()}
`
};

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
      assert.deepEqual(stream.request.buckets.map(({ name }) => name), (await service.stream(1)).buckets());
      assert.deepEqual(stream.operations.map(({ object_id: id }) => id), ['l4']);
    } else {
      assert.deepEqual(stream.request.buckets, []);
      assert.deepEqual(stream.operations.map(({ object_id: id }) => id), ['l1', 'l2', 'l4']);
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

  scenario(`${kind} clear, then another user with other buckets`, ofUsers, async (stage) => {
    const { service, source } = stage;
    const client = await syncedClient(stage);
    assert.equal((await client.rows(NAMES)).length, 2);
    await client.db.disconnectAndClear({ clearLocal: true, soft });
    client.connector.user = 'other';
    source.put('lists', 'o1', { name: 'Theirs', owner: 'other' });
    const shown = client.shows(NAMES, [{ name: 'Theirs' }]);
    await client.sync();
    const states = await shown;
    assert.ok(states.flat().every(({ name }) => name === 'Theirs'), JSON.stringify(states));
    const [theirs, ...others] = (await service.stream(service.streamCount)).buckets();
    assert.deepEqual(others, []);
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
    const newest = () => service.requestedCheckpoints.map(BigInt).reduce((a, b) => (a > b ? a : b));
    const before = newest();
    await client.db.disconnectAndClear({ clearLocal: true, soft });
    await client.sync({ checkpointMode: 'requests' });
    await client.db.execute("UPDATE lists SET name = 'd' WHERE id = 'l1'");
    await client.uploaded();
    assert.ok(newest() > before);
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
