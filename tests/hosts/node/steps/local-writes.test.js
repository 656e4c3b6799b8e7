// Local writes: uploaded, acknowledged, and not overwritten by what is downloaded meanwhile.

import assert from 'node:assert/strict';
import { column, Table } from '@powersync/common';
import { ALL, CONFIG, SEED, TABLES } from '../app/example.js';
import { scenario } from '../app/scenario.js';
import { withResolvers, within } from '../app/promises.js';

/** How a client asks for the acknowledgement of its writes, and the request that it sends for that. */
const MODES = [
  { checkpointMode: 'legacy', request: 'GET /write-checkpoint2.json' },
  { checkpointMode: 'requests', request: 'POST /sync/checkpoint-request' }
];

/** Requests that come with each write, and of the test itself. */
const OTHERS = ['POST /api/data', 'GET /write-checkpoint.json'];

/** Holds the request for the acknowledgement of the first upload; done when it has come. */
async function holdAcknowledgement({ service }, client, request) {
  const uploading = withResolvers();
  // Not before: the SDK may ask for one as soon as it sees the write, and would not upload until it gets the answer.
  client.connector.beforeUpload = async () => {
    client.connector.beforeUpload = async () => {};
    uploading.resolve(service.holdRequests(request));
  };
  const { reached, release } = await within(uploading.promise, 'the upload');
  await within(reached, 'the request for an acknowledgement');
  return { release };
}

const ofTodos = (line) => line.data?.data.some(({ object_type: type }) => type === 'todos');

for (const { checkpointMode, request } of MODES) {
  const mode = `${checkpointMode} checkpoints`;

  scenario(`insert, update and delete are uploaded and acknowledged, ${mode}`, {}, async (stage) => {
    const { service, source } = stage;
    source.put('lists', 'l1', { name: 'Groceries', rank: 1 });
    source.put('lists', 'l2', { name: 'Garden', rank: 2 });
    const client = await stage.open();
    await client.sync({ checkpointMode });

    await client.db.execute("INSERT INTO lists (id, name, rank) VALUES ('l3', 'Travel', 3)");
    await client.uploaded();
    await client.db.execute("UPDATE lists SET name = 'Shopping' WHERE id = 'l1'");
    await client.uploaded();
    await client.db.execute("DELETE FROM lists WHERE id = 'l2'");
    await client.uploaded();

    assert.deepEqual(client.connector.uploads, [
      [{ op: 'PUT', table: 'lists', id: 'l3', data: { name: 'Travel', rank: 3 } }],
      [{ op: 'PATCH', table: 'lists', id: 'l1', data: { name: 'Shopping' } }],
      [{ op: 'DELETE', table: 'lists', id: 'l2' }]
    ]);
    const requests = service.requests.filter((sent) => !OTHERS.includes(sent));
    assert.ok(requests.length >= 3 && requests.every((sent) => sent === request), String(requests));
    assert.deepEqual([...source.table('lists').values()], [
      { id: 'l1', name: 'Shopping', rank: 1 },
      { id: 'l3', name: 'Travel', rank: 3 }
    ]);
    assert.deepEqual(await client.rows('SELECT * FROM lists ORDER BY id'), [
      { id: 'l1', name: 'Shopping', rank: 1 },
      { id: 'l3', name: 'Travel', rank: 3 }
    ]);

    source.put('lists', 'l4', { name: 'From elsewhere' });
    await client.shows("SELECT name FROM lists WHERE id = 'l4'", [{ name: 'From elsewhere' }]);
  });

  scenario(`a write while downloading, ${mode}`, { config: ALL }, async (stage) => {
    const { service, source } = stage;
    source.put('lists', 'l1', { name: 'Groceries', rank: 1 });
    const client = await stage.open();
    await client.sync({ checkpointMode });

    const upload = withResolvers();
    const uploading = withResolvers();
    client.connector.beforeUpload = () => {
      uploading.resolve();
      return upload.promise;
    };
    const download = service.hold(ofTodos);
    source.transaction(() => {
      source.patch('lists', 'l1', { name: 'Changed elsewhere' });
      source.put('todos', 't1', { list_id: 'l1', title: 'Milk' });
    });
    await within(download.reached, 'the download');
    await client.db.execute("UPDATE lists SET name = 'Changed here' WHERE id = 'l1'");
    await within(uploading.promise, 'the upload');

    const delayed = client.delayed();
    const names = client.shows('SELECT name, (SELECT count(*) FROM todos) AS todos FROM lists', [
      { name: 'Changed here', todos: 1 }
    ]);
    download.release();
    await delayed;
    assert.deepEqual(await client.rows('SELECT name FROM lists'), [{ name: 'Changed here' }]);
    assert.deepEqual(await client.rows('SELECT * FROM todos'), []);

    upload.resolve();
    const states = await names;
    assert.deepEqual([...new Set(states.flat().map(({ name }) => name))], ['Changed here']);
    await client.uploaded();
    assert.equal(source.table('lists').get('l1').name, 'Changed here');
    assert.equal(service.streamCount, 1);
  });

  scenario(`a write while an acknowledgement is asked for, ${mode}`, {}, async (stage) => {
    const { source } = stage;
    source.put('lists', 'l1', { name: 'Groceries', rank: 1 });
    const client = await stage.open();
    await client.sync({ checkpointMode });

    const held = holdAcknowledgement(stage, client, request);
    await client.db.execute("UPDATE lists SET name = 'First' WHERE id = 'l1'");
    const acknowledgement = await held;
    await client.db.execute("UPDATE lists SET name = 'Second' WHERE id = 'l1'");
    acknowledgement.release();
    await client.uploaded();
    assert.equal(source.table('lists').get('l1').name, 'Second');
    assert.deepEqual(await client.rows('SELECT name FROM lists'), [{ name: 'Second' }]);
    source.patch('lists', 'l1', { name: 'Third' });
    await client.shows('SELECT name FROM lists', [{ name: 'Third' }]);
  });

  scenario(`a write that is uploaded but not replicated yet is not undone, ${mode}`, {}, async (stage) => {
    const { source } = stage;
    source.put('lists', 'l1', { name: 'before' });
    const client = await stage.open();
    await client.sync({ checkpointMode });
    const send = client.connector.send.bind(client.connector);
    const uploaded = [];
    client.connector.send = async (transactions) => {
      uploaded.push(...transactions);
      return transactions.map(() => ({ status: 'success' }));
    };

    const held = holdAcknowledgement(stage, client, request);
    await client.db.execute("UPDATE lists SET name = 'after'");
    const acknowledgement = await held;
    assert.equal((await client.db.getUploadQueueStats()).count, 0);
    const delayed = client.delayed();
    source.patch('lists', 'l1', { rank: 5 });
    await delayed;
    assert.deepEqual(await client.rows('SELECT name, rank FROM lists'), [{ name: 'after', rank: null }]);

    await send(uploaded);
    acknowledgement.release();
    const states = await client.shows('SELECT name, rank FROM lists', [{ name: 'after', rank: 5 }]);
    assert.ok(states.flat().every(({ name }) => name === 'after'), JSON.stringify(states));
    await client.uploaded();
  });

  scenario(`writes made offline are uploaded on connecting, ${mode}`, {}, async (stage) => {
    const { source } = stage;
    const client = await stage.open();
    await client.db.writeTransaction(async (tx) => {
      await tx.execute("INSERT INTO lists (id, name) VALUES ('l1', 'Groceries')");
      await tx.execute("INSERT INTO todos (id, list_id, title) VALUES ('t1', 'l1', 'Milk')");
    });
    await client.db.execute("UPDATE todos SET done = 1 WHERE id = 't1'");
    assert.equal((await client.db.getUploadQueueStats()).count, 3);

    await client.connect({ checkpointMode });
    await client.uploaded();
    assert.deepEqual(client.connector.uploads, [
      [
        { op: 'PUT', table: 'lists', id: 'l1', data: { name: 'Groceries' } },
        { op: 'PUT', table: 'todos', id: 't1', data: { list_id: 'l1', title: 'Milk' } }
      ],
      [{ op: 'PATCH', table: 'todos', id: 't1', data: { done: 1 } }]
    ]);
    await client.status((status) => status.hasSynced, 'the first sync');
    assert.deepEqual(await client.rows('SELECT id, name FROM lists'), [{ id: 'l1', name: 'Groceries' }]);
    assert.deepEqual([...source.table('todos').keys()], ['t1']);
  });
}

const upper = `${SEED}
CREATE TRIGGER upper AFTER UPDATE OF name ON lists WHEN NEW.name <> upper(NEW.name) BEGIN
  UPDATE lists SET name = upper(name) WHERE id = NEW.id;
END;`;
scenario('what the service makes of a write replaces it, with nothing in between', { seed: upper }, async (stage) => {
  const { source } = stage;
  source.put('lists', 'l1', { name: 'before' });
  const client = await stage.open();
  await client.sync();

  const shown = client.shows('SELECT name FROM lists', [{ name: 'AFTER' }]);
  await client.db.execute("UPDATE lists SET name = 'after'");
  const names = (await shown).flat().map(({ name }) => name);
  assert.ok(!names.slice(names.indexOf('after')).includes('before'), String(names));
});

const picky = "writes: {tables: {lists: {check: name <> 'not allowed'}}}\n";
scenario('a write that the service refuses is undone by the download', { writes: picky }, async (stage) => {
  const { source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  const client = await stage.open();
  await client.sync();
  await client.db.execute("UPDATE lists SET name = 'not allowed'");
  await client.db.execute("INSERT INTO lists (id, name) VALUES ('l2', 'not allowed')");
  await client.shows('SELECT id, name FROM lists', [{ id: 'l1', name: 'Groceries' }]);
  await client.uploaded();
  const codes = client.connector.refused.map(({ failed_operation: failed }) => failed.error_code);
  assert.deepEqual(codes, ['UNAUTHORIZED', 'UNAUTHORIZED']);
  assert.deepEqual([...source.table('lists').keys()], ['l1']);
});

scenario('an upload that fails is tried again', {}, async (stage) => {
  const client = await stage.open();
  await client.sync();
  let failures = 2;
  client.connector.beforeUpload = async () => {
    if (failures > 0) {
      failures -= 1;
      throw new Error('the backend is busy');
    }
  };
  const failed = client.status((status) => /busy/.test(status.uploadError?.message), 'the failure');
  await client.db.execute("INSERT INTO lists (id, name) VALUES ('l1', 'Groceries')");
  await failed;
  await client.uploaded();
  await client.status((status) => status.uploadError === undefined, 'the success');
  assert.equal(client.connector.uploads.length, 1);
  assert.deepEqual([...stage.source.table('lists').keys()], ['l1']);
});

scenario('a transaction that is rolled back leaves nothing to upload', {}, async (stage) => {
  const client = await stage.open();
  await client.sync();
  const rolledBack = client.db.writeTransaction(async (tx) => {
    await tx.execute("INSERT INTO lists (id, name) VALUES ('l1', 'Groceries')");
    throw new Error('changed my mind');
  });
  await assert.rejects(rolledBack, /changed my mind/);
  await client.db.execute("INSERT INTO lists (id, name) VALUES ('l2', 'Garden')");
  await client.uploaded();
  assert.deepEqual(client.connector.uploads, [[{ op: 'PUT', table: 'lists', id: 'l2', data: { name: 'Garden' } }]]);
});

scenario('asking for a checkpoint waits for what the service has now', {}, async (stage) => {
  const { service, source } = stage;
  const client = await stage.open();
  await client.sync({ checkpointMode: 'requests' });
  const held = service.hold((line) => line.data !== undefined);
  source.put('lists', 'l1', { name: 'Groceries' });
  const checkpoint = await within(client.db.requestCheckpoint(), 'the request');
  assert.equal(checkpoint.hasSynced, false);
  held.release();
  await within(checkpoint.waitForSync(), 'the checkpoint');
  assert.equal(checkpoint.hasSynced, true);
  assert.deepEqual(await client.rows('SELECT name FROM lists'), [{ name: 'Groceries' }]);
});

scenario('checkpoint requests beyond 2^53 are exact', {}, async (stage) => {
  const { service, program } = stage;
  const client = await stage.open();
  const id = 2n ** 53n + 7n;
  const clientId = await client.db.getClientId();
  const before = await fetch(`${program.url}/sync/checkpoint-request`, {
    method: 'POST',
    headers: { authorization: `Token ${client.connector.token()}` },
    body: JSON.stringify({ client_id: clientId, checkpoint_request_id: String(id) })
  });
  assert.equal(before.status, 200);
  await client.sync({ checkpointMode: 'requests' });
  await client.db.execute("INSERT INTO lists (id, name) VALUES ('l1', 'Groceries')");
  await client.uploaded();
  const [first, ...later] = service.requestedCheckpoints;
  assert.equal(first, '1');
  assert.deepEqual(later, later.map((_, index) => String(id + BigInt(index) + 1n)));
});

const options = {
  tables: {
    ...TABLES,
    drafts: new Table({ text: column.text }, { localOnly: true }),
    events: new Table({ kind: column.text }, { insertOnly: true }),
    notes: new Table(
      { text: column.text, author: column.text },
      { trackPrevious: { columns: ['text'] }, trackMetadata: true, ignoreEmptyUpdates: true }
    )
  },
  seed: `${SEED} CREATE TABLE events (id TEXT PRIMARY KEY, kind TEXT); CREATE TABLE notes (id TEXT PRIMARY KEY, text, author);`,
  config: `${CONFIG}  notes: {auto_subscribe: true, query: SELECT * FROM notes}\n`
};

scenario('table options: local-only, insert-only, previous values, metadata, empty updates', options, async (stage) => {
  const { source } = stage;
  source.put('notes', 'n1', { text: 'old', author: 'me' });
  const client = await stage.open();
  await client.sync();
  await client.db.execute("INSERT INTO drafts (id, text) VALUES ('d1', 'for me only')");
  await client.db.execute("INSERT INTO events (id, kind) VALUES ('e1', 'opened')");
  await client.db.execute("UPDATE notes SET text = 'old'");
  await client.db.execute("UPDATE notes SET text = 'new', _metadata = 'why'");
  await client.db.execute("UPDATE notes SET _deleted = TRUE, _metadata = 'enough'");
  await client.shows('SELECT count(*) AS waiting FROM ps_crud', [{ waiting: 0 }]);
  await client.uploaded();

  assert.deepEqual(client.connector.uploads.flat(), [
    { op: 'PUT', table: 'events', id: 'e1', data: { kind: 'opened' } },
    { op: 'PATCH', table: 'notes', id: 'n1', data: { text: 'new' }, old: { text: 'old' }, metadata: 'why' },
    { op: 'DELETE', table: 'notes', id: 'n1', old: { text: 'new' }, metadata: 'enough' }
  ]);
  assert.deepEqual(await client.rows('SELECT * FROM drafts'), [{ id: 'd1', text: 'for me only' }]);
  assert.deepEqual(await client.rows('SELECT * FROM events'), []);
  assert.deepEqual(await client.rows('SELECT * FROM notes'), []);
});
