// Streams: subscribing with parameters, waiting for their data, and letting go of them.

import assert from 'node:assert/strict';
import { CONFIG } from '../app/example.js';
import { within } from '../app/promises.js';
import { modelled, scenario } from '../app/scenario.js';
import { STREAMS } from '../model/example.js';

const subscription = (list, priority = null) => ({
  stream: 'todos',
  parameters: { list },
  override_priority: priority
});

function fill(source) {
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('todos', 't1', { list_id: 'l1', title: 'Milk' });
  source.put('todos', 't2', { list_id: 'l2', title: 'Rake' });
}

const TITLES = 'SELECT title FROM todos ORDER BY id';

scenario('subscribe with parameters and wait for the first sync', {}, async (stage) => {
  const { service, source } = stage;
  fill(source);
  const client = await stage.open();
  await client.sync();
  assert.deepEqual(await client.rows(TITLES), []);

  const todos = await client.db.syncStream('todos', { list: 'l1' }).subscribe();
  await within(todos.waitForFirstSync(), 'the first sync of the stream');
  assert.deepEqual(await client.rows(TITLES), [{ title: 'Milk' }]);
  const { subscription: status, priority } = client.db.currentStatus.forStream(todos);
  assert.equal(priority, 3);
  assert.deepEqual(
    [status.active, status.isDefault, status.hasExplicitSubscription, status.hasSynced],
    [true, false, true, true]
  );

  const stream = await service.stream(2);
  assert.deepEqual(stream.request.streams, { include_defaults: true, subscriptions: [subscription('l1')] });
  assert.equal(service.streamCount, 2);
  source.put('todos', 't3', { list_id: 'l1', title: 'Bread' });
  await client.shows(TITLES, [{ title: 'Milk' }, { title: 'Bread' }]);
});

scenario('one stream with several parameters, each let go of alone', {}, async (stage) => {
  const { service, source } = stage;
  fill(source);
  const client = await stage.open();
  const first = client.db.syncStream('todos', { list: 'l1' });
  const second = client.db.syncStream('todos', { list: 'l2' });
  const handles = [await first.subscribe(), await second.subscribe()];
  await client.sync();
  await within(Promise.all(handles.map((handle) => handle.waitForFirstSync())), 'the first sync of both');
  assert.deepEqual(await client.rows(TITLES), [{ title: 'Milk' }, { title: 'Rake' }]);

  handles[0].unsubscribe();
  await first.unsubscribeAll();
  await client.shows(TITLES, [{ title: 'Rake' }]);
  const explicit = (stream) => client.db.currentStatus.forStream(stream)?.subscription.hasExplicitSubscription;
  assert.deepEqual([explicit(first), explicit(second)], [false, true]);
  const stream = await service.stream(service.streamCount);
  assert.deepEqual(stream.request.streams.subscriptions, [subscription('l2')]);

  handles[1].unsubscribe();
  await second.unsubscribeAll();
  await client.shows(TITLES, []);
  await client.status((status) => status.syncStreams.length === 1, 'the end of both subscriptions');
  assert.equal(client.db.currentStatus.syncStreams[0].subscription.name, 'lists');
});

scenario('a subscription that is no longer in use stays until its time is over', {}, async (stage) => {
  const { service, source } = stage;
  fill(source);
  const client = await stage.open();
  await client.sync();
  const todos = await client.db.syncStream('todos', { list: 'l1' }).subscribe({ ttl: 3600 });
  await within(todos.waitForFirstSync(), 'the first sync of the stream');
  todos.unsubscribe();
  const ended = service.streamCount;
  (await service.stream(ended)).end();
  const stream = await within(service.stream(ended + 1), 'the next connection');
  assert.deepEqual(stream.request.streams.subscriptions, [subscription('l1')]);
  assert.deepEqual(await client.rows(TITLES), [{ title: 'Milk' }]);
});

scenario('subscribing offline, and after a restart', {}, async (stage) => {
  const { service, source } = stage;
  fill(source);
  const before = await stage.open();
  const todos = before.db.syncStream('todos', { list: 'l1' });
  await todos.subscribe();
  const { subscription: status } = before.db.currentStatus.forStream(todos);
  assert.deepEqual([status.hasExplicitSubscription, status.hasSynced], [true, false]);
  await before.close();

  const after = await stage.open();
  await after.sync();
  const stream = await service.stream(1);
  assert.deepEqual(stream.request.streams.subscriptions, [subscription('l1')]);
  assert.deepEqual(await after.rows(TITLES), [{ title: 'Milk' }]);
  assert.equal(after.db.currentStatus.forStream(todos).subscription.hasSynced, true);
});

scenario('subscribing again does not reconnect', {}, async (stage) => {
  const { service, source } = stage;
  fill(source);
  const client = await stage.open();
  const todos = client.db.syncStream('todos', { list: 'l1' });
  const first = await todos.subscribe();
  await client.sync();
  const second = await todos.subscribe();
  await within(second.waitForFirstSync(), 'the first sync of the stream');
  first.unsubscribe();
  source.put('todos', 't3', { list_id: 'l1', title: 'Bread' });
  await client.shows(TITLES, [{ title: 'Milk' }, { title: 'Bread' }]);
  assert.equal(service.streamCount, 1);
});

scenario('a subscription with its own priority', {}, async (stage) => {
  const { service, source } = stage;
  fill(source);
  const client = await stage.open();
  const todos = await client.db.syncStream('todos', { list: 'l1' }).subscribe({ priority: 1 });
  await client.sync();
  const stream = await service.stream(1);
  assert.deepEqual(stream.request.streams.subscriptions, [subscription('l1', 1)]);
  assert.equal(client.db.currentStatus.forStream(todos).priority, 1);
  assert.deepEqual(
    stream.lines.filter((line) => line.partial_checkpoint_complete !== undefined).length,
    1,
    'the service sends the todos first'
  );
});

scenario('a stream tells its own progress', {}, async (stage) => {
  const { source } = stage;
  fill(source);
  source.transaction(() => {
    for (let i = 0; i < 1499; i++) source.put('todos', `more${i}`, { list_id: 'l1', title: 'Bread' });
  });
  const client = await stage.open();
  const todos = await client.db.syncStream('todos', { list: 'l1' }).subscribe();
  await client.sync();
  const progress = client.statuses
    .map((status) => status.forStream(todos)?.progress)
    .filter((value) => value)
    .map(({ downloadedOperations, totalOperations }) => `${downloadedOperations}/${totalOperations}`);
  assert.deepEqual([...new Set(progress)], ['0/1500', '1000/1500', '1500/1500']);
});

const failing = { streams: { ...STREAMS, broken: { error: 'no such parameter', buckets: () => [] } } };
modelled('errors of a stream are logged, and the others go on', failing, async (stage) => {
  fill(stage.source);
  const client = await stage.open();
  await client.db.syncStream('broken', { a: 1 }).subscribe();
  const warning = client.logged(({ message }) => /broken/.test(message) && /no such parameter/.test(message), 'a warning');
  await client.sync();
  await warning;
  assert.deepEqual(await client.rows('SELECT name FROM lists'), [{ name: 'Groceries' }]);
});

scenario('parameters, metadata and streams of the connection', {}, async (stage) => {
  const { service, source } = stage;
  fill(source);
  const client = await stage.open();
  await client.db.syncStream('todos', { list: 'l2' }).subscribe();
  await client.sync({ params: { region: 'eu', n: [1, 2.5] }, appMetadata: { version: '7' }, includeDefaultStreams: false });
  const { request } = await service.stream(1);
  assert.deepEqual(request.parameters, { region: 'eu', n: [1, 2.5] });
  assert.deepEqual(request.app_metadata, { version: '7' });
  assert.deepEqual(request.streams, { include_defaults: false, subscriptions: [subscription('l2')] });
  assert.deepEqual(await client.rows('SELECT * FROM lists'), []);
  assert.deepEqual(await client.rows(TITLES), [{ title: 'Rake' }]);
});

const shared = {
  config: `${CONFIG}  all: {query: SELECT * FROM todos WHERE list_id IN (SELECT id FROM lists)}\n`
};
scenario('a bucket of two streams stays while one of them is in use', shared, async (stage) => {
  fill(stage.source);
  stage.source.put('lists', 'l2', { name: 'Garden' });
  const client = await stage.open();
  const one = client.db.syncStream('todos', { list: 'l1' });
  const all = client.db.syncStream('all');
  const handles = [await one.subscribe(), await all.subscribe()];
  await client.sync();
  await within(Promise.all(handles.map((handle) => handle.waitForFirstSync())), 'the first sync of both');
  handles[1].unsubscribe();
  await all.unsubscribeAll();
  const states = await client.shows(TITLES, [{ title: 'Milk' }]);
  assert.ok(states.flat().filter(({ title }) => title === 'Milk').length === states.length, JSON.stringify(states));
});
