// The real service gets another configuration while clients are connected.

import assert from 'node:assert/strict';
import { CONFIG, fillWithMany, firstLineOf, holdSecondLine, MANY } from '../app/example.js';
import { within } from '../app/promises.js';
import { scenario } from '../app/scenario.js';

const NAMES = 'SELECT name FROM lists ORDER BY id';
const TITLES = 'SELECT title FROM todos ORDER BY id';

function fill(source) {
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('lists', 'l2', { name: 'Garden' });
  source.put('todos', 't1', { list_id: 'l1', title: 'Milk' });
}

scenario('a new stream comes on the open connection', {}, async (stage) => {
  const { service, source } = stage;
  fill(source);
  const client = await stage.open();
  await client.sync();
  assert.deepEqual(await client.rows(TITLES), []);
  const shown = client.shows(TITLES, [{ title: 'Milk' }]);
  await stage.deploy(`${CONFIG}  everything: {auto_subscribe: true, query: SELECT * FROM todos}\n`);
  await shown;
  await client.status((status) => status.forStream({ name: 'everything', parameters: null })?.subscription.hasSynced, 'it');
  assert.equal(service.streamCount, 1);
  const stream = await service.stream(1);
  const sent = stream.operations.map(({ object_id: id }) => id);
  assert.deepEqual(sent, ['l1', 'l2', 't1'], 'what was there is not sent again');
  source.put('todos', 't2', { list_id: 'l2', title: 'Rake' });
  await client.shows(TITLES, [{ title: 'Milk' }, { title: 'Rake' }]);
});

scenario('all buckets have new names, and no row vanishes in between', {}, async (stage) => {
  const { service, source } = stage;
  fill(source);
  const client = await stage.open();
  await client.sync();
  const before = (await service.stream(1)).buckets();
  const shown = client.shows('SELECT name, rank FROM lists ORDER BY id', [
    { name: 'Groceries', rank: 7 },
    { name: 'Garden', rank: 7 }
  ]);
  await stage.deploy(CONFIG.replace('SELECT * FROM lists', 'SELECT id, name, 7 AS rank FROM lists'));
  const states = await shown;
  assert.ok(states.every((rows) => rows.length === 2), JSON.stringify(states));
  const buckets = (await client.rows('SELECT name FROM ps_buckets')).map(({ name }) => name);
  assert.equal(buckets.length, 1);
  assert.ok(!before.includes(buckets[0]), String(buckets));
  assert.equal(service.streamCount, 1);
});

scenario('a query that is added to a stream leaves what it has as it is', {}, async (stage) => {
  const { service, source } = stage;
  fill(source);
  const client = await stage.open();
  await client.sync();
  const buckets = 'SELECT name FROM ps_buckets ORDER BY name';
  const [before] = await client.rows(buckets);
  const shown = client.shows(TITLES, [{ title: 'Milk' }]);
  await stage.deploy(CONFIG.replace('query: SELECT * FROM lists', "queries: ['SELECT * FROM todos', 'SELECT * FROM lists']"));
  await shown;
  assert.ok((await client.rows(buckets)).some(({ name }) => name === before.name));
  const sent = (await service.stream(1)).operations.map(({ object_id: id }) => id);
  assert.deepEqual(sent, ['l1', 'l2', 't1'], 'the first query is not sent again');
  // And without it again.
  await stage.deploy(CONFIG);
  await client.shows(TITLES, []);
  assert.deepEqual(await client.rows(buckets), [before]);
  assert.deepEqual(await client.rows(NAMES), [{ name: 'Groceries' }, { name: 'Garden' }]);
  assert.equal((await service.stream(1)).operations.length, 3);
  assert.equal(service.streamCount, 1);
});

scenario('in the middle of a download: it ends with the new configuration', {}, async (stage) => {
  const { program, service, source } = stage;
  fillWithMany(source);
  source.put('todos', 't1', { list_id: 'l1', title: 'Milk' });
  const cut = holdSecondLine(service);
  const client = await stage.open();
  await client.connect();
  await within(cut.reached, 'the second line of data');
  await firstLineOf(client);
  const changed = CONFIG.replace('SELECT * FROM lists', 'SELECT id, name, -rank AS rank FROM lists');
  await stage.deploy(`${changed}  everything: {auto_subscribe: true, query: SELECT * FROM todos}\n`);
  cut.release();
  const sum = -(MANY * (MANY + 1)) / 2;
  await client.shows('SELECT count(*) AS rows, sum(rank) AS ranks FROM lists', [{ rows: MANY, ranks: sum }]);
  await client.shows(TITLES, [{ title: 'Milk' }]);
  assert.equal((await client.rows('SELECT * FROM ps_buckets')).length, 2);
  assert.equal((await program.status()).counters.connections_opened, 1);
});

scenario('a stream that is gone takes its rows along', {}, async (stage) => {
  const { source } = stage;
  fill(source);
  const client = await stage.open();
  const todos = await client.db.syncStream('todos', { list: 'l1' }).subscribe();
  await client.sync();
  await within(todos.waitForFirstSync(), 'the first sync of the stream');
  assert.deepEqual(await client.rows(TITLES), [{ title: 'Milk' }]);
  await stage.deploy(CONFIG.slice(0, CONFIG.indexOf('  todos:')));
  await client.shows(TITLES, []);
  assert.deepEqual(await client.rows(NAMES), [{ name: 'Groceries' }, { name: 'Garden' }]);
  await stage.deploy(CONFIG);
  await client.shows(TITLES, [{ title: 'Milk' }]);
});

scenario('a configuration with errors changes nothing', { direct: true }, async (stage) => {
  const { program, source } = stage;
  fill(source);
  const client = await stage.open();
  await client.sync();
  const before = (await program.status()).config;
  await stage.deploy(CONFIG.replace('FROM lists', 'FORM lists'), 'what was there before stays');
  assert.deepEqual((await program.status()).config, before);
  source.put('lists', 'l3', { name: 'Travel' });
  await client.shows(NAMES, [{ name: 'Groceries' }, { name: 'Garden' }, { name: 'Travel' }]);
  assert.equal((await program.status()).counters.connections_opened, 1);
  assert.ok(client.statuses.every((status) => status.downloadError === undefined));
});
