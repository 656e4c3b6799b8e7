// Priorities: urgent buckets show before the others are complete.

import assert from 'node:assert/strict';
import { withResolvers, within } from '../app/promises.js';
import { scenario } from '../app/scenario.js';

/** Lists are urgent, todos are not. */
const withPriority = (priority) => ({
  config: `config: {edition: 3}
streams:
  urgent: {auto_subscribe: true, priority: ${priority}, query: SELECT * FROM lists}
  bulk: {auto_subscribe: true, priority: 3, query: SELECT * FROM todos}
`
});

const isBulk = (line) => line.data?.data.some(({ object_type: type }) => type === 'todos');

scenario('urgent data show while the rest is downloaded', withPriority(1), async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('todos', 't1', { list_id: 'l1', title: 'Milk' });
  const bulk = service.hold(isBulk);
  const client = await stage.open();
  await client.connect();
  await within(client.db.waitForFirstSync({ priority: 1 }), 'the first sync of priority 1');

  assert.deepEqual(await client.rows('SELECT name FROM lists'), [{ name: 'Groceries' }]);
  assert.deepEqual(await client.rows('SELECT * FROM todos'), []);
  const { currentStatus: early } = client.db;
  assert.equal(early.hasSynced, false);
  assert.equal(early.downloading, true);
  assert.equal(early.statusForPriority(1).hasSynced, true);
  assert.equal(early.statusForPriority(2).hasSynced, false);
  assert.equal(early.forStream({ name: 'urgent', parameters: null }).subscription.hasSynced, true);
  assert.equal(early.forStream({ name: 'bulk', parameters: null }).subscription.hasSynced, false);
  assert.equal(early.downloadProgress.untilPriority(1).downloadedFraction, 1);
  assert.equal(early.downloadProgress.downloadedOperations, 1);
  assert.equal(early.downloadProgress.totalOperations, 2);

  bulk.release();
  await within(client.db.waitForFirstSync(), 'the first full sync');
  assert.deepEqual(await client.rows('SELECT title FROM todos'), [{ title: 'Milk' }]);
  assert.equal(client.db.currentStatus.statusForPriority(2).hasSynced, true);
  assert.deepEqual(await client.rows('SELECT name FROM lists'), [{ name: 'Groceries' }]);
});

scenario('urgent data are known to be synced after a restart', withPriority(1), async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('todos', 't1', { list_id: 'l1', title: 'Milk' });
  service.hold(isBulk);
  const before = await stage.open();
  await before.connect();
  await within(before.db.waitForFirstSync({ priority: 1 }), 'the first sync of priority 1');
  await before.close();

  const after = await stage.open();
  assert.equal(after.db.currentStatus.hasSynced, false);
  assert.equal(after.db.currentStatus.statusForPriority(1).hasSynced, true);
  await after.sync();
  const [urgent] = (await service.stream(1)).buckets('urgent');
  const { request, operations } = await service.stream(2);
  assert.ok(request.buckets.some(({ name }) => name === urgent));
  assert.deepEqual(operations.map(({ object_type: type }) => type), ['todos']);
  assert.deepEqual(await after.rows('SELECT title FROM todos'), [{ title: 'Milk' }]);
});

scenario('priority 0 shows even while local writes wait', withPriority(0), async (stage) => {
  const { source } = stage;
  source.put('todos', 't1', { list_id: 'l1', title: 'Milk' });
  const client = await stage.open();
  await client.sync();
  const upload = withResolvers();
  client.connector.beforeUpload = () => upload.promise;
  await client.db.execute("UPDATE todos SET title = 'Oat milk'");

  source.transaction(() => {
    source.put('lists', 'l1', { name: 'Groceries' });
    source.put('todos', 't2', { list_id: 'l1', title: 'Bread' });
  });
  await client.shows('SELECT name FROM lists', [{ name: 'Groceries' }]);
  assert.deepEqual(await client.rows('SELECT title FROM todos'), [{ title: 'Oat milk' }]);
  upload.resolve();
  await client.shows('SELECT title FROM todos ORDER BY id', [{ title: 'Oat milk' }, { title: 'Bread' }]);
});

scenario('other priorities wait for local writes', withPriority(1), async (stage) => {
  const { source } = stage;
  const client = await stage.open();
  await client.sync();
  const upload = withResolvers();
  client.connector.beforeUpload = () => upload.promise;
  await client.db.execute("INSERT INTO todos (id, list_id, title) VALUES ('t1', 'l1', 'Milk')");

  const delayed = client.delayed();
  source.transaction(() => {
    source.put('lists', 'l1', { name: 'Groceries' });
    source.put('todos', 't2', { list_id: 'l1', title: 'Bread' });
  });
  await delayed;
  assert.deepEqual(await client.rows('SELECT * FROM lists'), []);
  upload.resolve();
  await client.shows('SELECT name, (SELECT count(*) FROM todos) AS todos FROM lists', [{ name: 'Groceries', todos: 2 }]);
});
