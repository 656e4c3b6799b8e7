// Raw tables: the application makes the tables, the sync client writes downloaded rows into them.

import assert from 'node:assert/strict';
import { Schema } from '@powersync/common';
import { SEED } from '../app/example.js';
import { modelled, scenario } from '../app/scenario.js';

/** A schema without tables of the SDK, only with raw ones. */
function rawSchema(tables) {
  const schema = new Schema({});
  schema.withRawTables(tables);
  return schema;
}

/** Opens a client with a raw table, which it makes itself. */
async function openRaw(stage, create, tables) {
  const client = await stage.open({ schema: rawSchema(tables) });
  await client.db.execute(create);
  return client;
}

const given = {
  lists: {
    put: {
      sql: 'INSERT OR REPLACE INTO my_lists (id, name, others) VALUES (?, ?, ?)',
      params: ['Id', { Column: 'name' }, 'Rest']
    },
    delete: { sql: 'DELETE FROM my_lists WHERE id = ?', params: ['Id'] },
    clear: 'DELETE FROM my_lists'
  }
};
const CREATE_GIVEN = 'CREATE TABLE IF NOT EXISTS my_lists (id TEXT PRIMARY KEY, name TEXT NOT NULL, others TEXT)';

const coloured = { seed: SEED.replace('rank INTEGER', 'rank INTEGER, colour TEXT') };
scenario('given statements: put, delete, clear', coloured, async (stage) => {
  const { source } = stage;
  source.put('lists', 'l1', { name: 'Groceries', rank: 1 });
  source.put('lists', 'l2', { name: 'Garden', rank: 2, colour: 'green' });
  const client = await openRaw(stage, CREATE_GIVEN, given);
  await client.sync();
  const [first, second] = await client.rows('SELECT * FROM my_lists ORDER BY id');
  assert.deepEqual([first.id, first.name, JSON.parse(first.others).rank], ['l1', 'Groceries', 1]);
  assert.deepEqual([second.id, second.name, JSON.parse(second.others).colour], ['l2', 'Garden', 'green']);

  source.patch('lists', 'l1', { name: 'Shopping' });
  source.delete('lists', 'l2');
  await client.shows('SELECT id, name FROM my_lists', [{ id: 'l1', name: 'Shopping' }]);
  assert.deepEqual(await client.rows('SELECT * FROM ps_crud'), []);

  await client.db.disconnectAndClear();
  assert.deepEqual(await client.rows('SELECT * FROM my_lists'), []);
  await client.sync();
  assert.deepEqual(await client.rows('SELECT id, name FROM my_lists'), [{ id: 'l1', name: 'Shopping' }]);
});

const inferred = { lists: { schema: { tableName: 'my_lists', syncedColumns: ['name', 'rank'] } } };
const CREATE_INFERRED =
  'CREATE TABLE IF NOT EXISTS my_lists (id TEXT PRIMARY KEY, name TEXT, rank INTEGER, mine TEXT) STRICT';

scenario('inferred statements leave columns alone that are not synced', {}, async (stage) => {
  const { source } = stage;
  source.put('lists', 'l1', { name: 'Groceries', rank: 1 });
  const client = await openRaw(stage, CREATE_INFERRED, inferred);
  await client.sync();
  await client.db.execute("UPDATE my_lists SET mine = 'keep'");
  source.patch('lists', 'l1', { name: 'Shopping', rank: null });
  const expected = { id: 'l1', name: 'Shopping', rank: null, mine: 'keep' };
  await client.shows('SELECT * FROM my_lists', [expected]);
  source.delete('lists', 'l1');
  await client.shows('SELECT * FROM my_lists', []);
});

scenario('triggers record local writes', {}, async (stage) => {
  const { source } = stage;
  source.put('lists', 'l1', { name: 'Groceries', rank: 1 });
  const client = await openRaw(stage, CREATE_INFERRED, inferred);
  const definition = JSON.stringify(Schema.rawTableToJson({ name: 'lists', ...inferred.lists }));
  for (const write of ['INSERT', 'UPDATE', 'DELETE']) {
    const parameters = [definition, `my_lists_${write.toLowerCase()}`, write];
    await client.db.execute('SELECT powersync_create_raw_table_crud_trigger(?, ?, ?)', parameters);
  }
  await client.sync();
  assert.deepEqual(await client.rows('SELECT * FROM ps_crud'), []);

  await client.db.execute("INSERT INTO my_lists (id, name, mine) VALUES ('l2', 'Garden', 'x')");
  await client.uploaded();
  await client.db.execute("UPDATE my_lists SET name = 'Shopping' WHERE id = 'l1'");
  await client.uploaded();
  await client.db.execute("UPDATE my_lists SET mine = 'y' WHERE id = 'l1'");
  await client.db.execute("DELETE FROM my_lists WHERE id = 'l2'");
  await client.uploaded();
  assert.deepEqual(client.connector.uploads, [
    [{ op: 'PUT', table: 'lists', id: 'l2', data: { name: 'Garden' } }],
    [{ op: 'PATCH', table: 'lists', id: 'l1', data: { name: 'Shopping' } }],
    [{ op: 'DELETE', table: 'lists', id: 'l2' }]
  ]);
  assert.deepEqual(await client.rows('SELECT * FROM my_lists'), [{ id: 'l1', name: 'Shopping', rank: 1, mine: 'y' }]);
  assert.deepEqual([...source.table('lists').values()], [{ id: 'l1', name: 'Shopping', rank: 1 }]);
});

scenario('a table that fails stops the sync with its error, and goes on when it is repaired', {}, async (stage) => {
  const { source } = stage;
  source.put('lists', 'l1', { name: null });
  const client = await openRaw(stage, CREATE_GIVEN, given);
  client.expectedErrors.push(/NOT NULL/);
  await client.connect();
  const failure = (status) => /NOT NULL[^]*replacing into lists, id = l1/.test(status.downloadError?.message);
  await client.status(failure, 'the error');
  assert.deepEqual(await client.rows('SELECT * FROM my_lists'), []);
  source.put('lists', 'l1', { name: 'Groceries' });
  await client.status((status) => status.hasSynced && status.downloadError === undefined, 'the first sync');
  assert.deepEqual(await client.rows('SELECT id, name FROM my_lists'), [{ id: 'l1', name: 'Groceries' }]);
});

const nested = 'it binds NULL for arrays and objects';
modelled('arrays and objects arrive as JSON text', { ours: nested }, async (stage) => {
  stage.source.put('lists', 'l1', { name: { first: ['a', 1.5, null] } });
  const client = await openRaw(stage, CREATE_GIVEN, given);
  await client.sync();
  const [{ name }] = await client.rows('SELECT name FROM my_lists');
  assert.deepEqual(JSON.parse(name), { first: ['a', 1.5, null] });
});
