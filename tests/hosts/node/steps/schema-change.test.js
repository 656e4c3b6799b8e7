// Schema changes: what was downloaded earlier shows in new tables and columns.

import assert from 'node:assert/strict';
import { column, Schema, Table } from '@powersync/common';
import { ALL, TABLES } from '../app/example.js';
import { scenario } from '../app/scenario.js';

const both = { config: ALL };

function fill(source) {
  source.put('lists', 'l1', { name: 'Groceries', rank: 1 });
  source.put('todos', 't1', { list_id: 'l1', title: 'Milk', done: 0 });
}

scenario('a new table shows rows that came before it', both, async (stage) => {
  const { source } = stage;
  fill(source);
  const client = await stage.open({ schema: new Schema({ lists: TABLES.lists }) });
  await client.sync();
  await client.db.disconnect();
  await client.db.updateSchema(stage.schema);
  assert.deepEqual(await client.rows('SELECT * FROM todos'), [{ id: 't1', list_id: 'l1', title: 'Milk', done: 0 }]);
  await client.connect();
  source.patch('todos', 't1', { done: 1 });
  await client.shows('SELECT done FROM todos', [{ done: 1 }]);
  await client.db.execute("UPDATE todos SET title = 'Oat milk'");
  await client.uploaded();
  assert.deepEqual(source.table('todos').get('t1'), { id: 't1', list_id: 'l1', title: 'Oat milk', done: 1 });
});

scenario('a new column shows values that came before it', {}, async (stage) => {
  fill(stage.source);
  const before = await stage.open({ schema: new Schema({ lists: new Table({ name: column.text }) }) });
  await before.sync();
  assert.deepEqual(await before.rows('SELECT * FROM lists'), [{ id: 'l1', name: 'Groceries' }]);
  await before.close();

  const after = await stage.open();
  assert.deepEqual(await after.rows('SELECT * FROM lists'), [{ id: 'l1', name: 'Groceries', rank: 1 }]);
});

scenario('a table that comes back shows its rows again', both, async (stage) => {
  const { source } = stage;
  fill(source);
  const client = await stage.open();
  await client.sync();
  await client.db.disconnect();
  await client.db.updateSchema(new Schema({ lists: TABLES.lists }));
  await assert.rejects(client.rows('SELECT * FROM todos'), /no such table/);
  await client.connect();
  source.put('todos', 't2', { list_id: 'l1', title: 'Bread' });
  source.patch('lists', 'l1', { name: 'Shopping' });
  await client.shows('SELECT name FROM lists', [{ name: 'Shopping' }]);
  await client.db.disconnect();
  await client.db.updateSchema(stage.schema);
  await client.shows('SELECT title FROM todos ORDER BY id', [{ title: 'Milk' }, { title: 'Bread' }]);
});

scenario('a type, an index and a view name change', {}, async (stage) => {
  const { source } = stage;
  fill(source);
  const client = await stage.open();
  await client.sync();
  await client.db.disconnect();
  const lists = new Table({ name: column.text, rank: column.text }, { viewName: 'shopping', indexes: { by_name: ['name'] } });
  await client.db.updateSchema(new Schema({ lists }));
  assert.deepEqual(await client.rows('SELECT * FROM shopping'), [{ id: 'l1', name: 'Groceries', rank: '1' }]);
  await assert.rejects(client.rows('SELECT * FROM lists'), /no such table/);
  const [plan] = await client.rows("EXPLAIN QUERY PLAN SELECT id FROM shopping WHERE name = 'Groceries'");
  assert.match(plan.detail, /USING INDEX ps_data__lists__by_name/);

  await client.connect();
  await client.db.execute("INSERT INTO shopping (id, name) VALUES ('l2', 'Garden')");
  await client.uploaded();
  assert.deepEqual(client.connector.uploads, [[{ op: 'PUT', table: 'lists', id: 'l2', data: { name: 'Garden' } }]]);
});

const drafts = (localOnly) => ({
  lists: new Table({ name: column.text }, { localOnly, viewName: 'lists' })
});
scenario('from local-only to synced, as when signing in', { tables: drafts(true) }, async (stage) => {
  const { source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  const client = await stage.open();
  await client.db.execute("INSERT INTO lists (id, name) VALUES ('d1', 'Draft')");
  const kept = await client.rows('SELECT * FROM lists');
  await client.db.updateSchema(new Schema(drafts(false)));
  await client.db.writeTransaction(async (tx) => {
    for (const { id, name } of kept) await tx.execute('INSERT INTO lists (id, name) VALUES (?, ?)', [id, name]);
  });
  await client.connect();
  await client.uploaded();
  await client.shows('SELECT id, name FROM lists ORDER BY id', [
    { id: 'd1', name: 'Draft' },
    { id: 'l1', name: 'Groceries' }
  ]);
  assert.deepEqual(source.table('lists').get('d1'), { id: 'd1', name: 'Draft', rank: null });
});
