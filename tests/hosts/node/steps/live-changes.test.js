// Changes that arrive on an open connection.

import assert from 'node:assert/strict';
import { ALL } from '../app/example.js';
import { modelled, scenario } from '../app/scenario.js';
import { LISTS } from '../model/example.js';

/** Names of tables that the SDK is told have changed, from now on; it is told before it logs the instructions. */
function tableUpdates(client) {
  const tables = [];
  client.db.database.registerListener({ tablesUpdated: (update) => tables.push(...update.tables) });
  return tables;
}

scenario('inserts, updates and deletes arrive', {}, async (stage) => {
  const { source } = stage;
  source.put('lists', 'l1', { name: 'Groceries', rank: 1 });
  const client = await stage.open();
  await client.sync();

  source.put('lists', 'l2', { name: 'Garden', rank: 2 });
  await client.shows('SELECT id, name FROM lists ORDER BY id', [
    { id: 'l1', name: 'Groceries' },
    { id: 'l2', name: 'Garden' }
  ]);
  source.patch('lists', 'l1', { name: 'Shopping' });
  await client.shows("SELECT name, rank FROM lists WHERE id = 'l1'", [{ name: 'Shopping', rank: 1 }]);
  source.delete('lists', 'l1');
  await client.shows('SELECT id FROM lists', [{ id: 'l2' }]);
  source.put('lists', 'l1', { name: 'Again', rank: 3 });
  await client.shows('SELECT id FROM lists ORDER BY id', [{ id: 'l1' }, { id: 'l2' }]);
  assert.equal(stage.service.streamCount, 1);
});

scenario('a transaction becomes visible as a whole', { config: ALL }, async (stage) => {
  const { service, source } = stage;
  const client = await stage.open();
  await client.sync();
  const last = (line) => line.data?.data.some(({ object_type: type }) => type === 'todos');
  const held = service.hold(last);
  const shown = client.shows('SELECT lists.name, title FROM lists FULL JOIN todos ON list_id = lists.id', [
    { name: 'Groceries', title: 'Milk' }
  ]);
  source.transaction(() => {
    source.put('lists', 'l1', { name: 'Groceries' });
    source.put('todos', 't1', { list_id: 'l1', title: 'Milk' });
  });
  await held.reached;
  assert.deepEqual(await client.rows('SELECT * FROM lists'), []);
  held.release();
  const states = await shown;
  assert.deepEqual(
    states.filter((rows) => rows.length > 0),
    [[{ name: 'Groceries', title: 'Milk' }]]
  );
});

scenario('only tables that changed are reported', { config: ALL }, async (stage) => {
  const { source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('todos', 't1', { list_id: 'l1', title: 'Milk' });
  const client = await stage.open();
  await client.sync();

  const tables = tableUpdates(client);
  const completed = client.instruction('DidCompleteSync');
  source.patch('todos', 't1', { title: 'Oat milk' });
  await completed;
  assert.deepEqual(await client.rows('SELECT title FROM todos'), [{ title: 'Oat milk' }]);
  assert.ok(tables.includes('ps_data__todos'), String(tables));
  assert.ok(!tables.includes('ps_data__lists'), String(tables));
});

const quiet = 'it writes rows again that have not changed';
modelled('a row that comes again unchanged stays quiet', { ours: quiet }, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  const client = await stage.open();
  await client.sync();

  const tables = tableUpdates(client);
  const completed = client.instruction('DidCompleteSync');
  source.put('lists', 'l1', { name: 'Groceries' });
  await completed;
  const [{ last_op: lastOp }] = await client.rows('SELECT last_op FROM ps_buckets WHERE name = ?', [LISTS]);
  assert.equal(lastOp, service.lastOpId);
  assert.ok(!tables.includes('ps_data__lists'), String(tables));
});
