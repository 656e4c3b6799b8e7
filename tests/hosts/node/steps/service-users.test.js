// The real service between several users and several devices, each with its own database.

import assert from 'node:assert/strict';
import { column, Table } from '@powersync/common';
import { scenario } from '../app/scenario.js';

const owned = {
  direct: true,
  tables: {
    notes: new Table({ owner: column.text, text: column.text, mark: column.text }, { trackPrevious: true })
  },
  seed: 'CREATE TABLE notes (id TEXT PRIMARY KEY NOT NULL, owner TEXT NOT NULL, text TEXT, mark TEXT);',
  config: `config: {edition: 3}
streams:
  notes: {auto_subscribe: true, query: SELECT * FROM notes WHERE owner = auth.user_id()}
`,
  writes: `writes:
  tables:
    notes: {set: {owner: auth.user_id()}, check: owner = auth.user_id(), on_conflict: column}
`
};

const TEXTS = 'SELECT id, text FROM notes ORDER BY id';

/** Every row that a client's file holds, shown or not. */
const stored = (client) => client.rows("SELECT row_id FROM ps_oplog UNION SELECT id FROM ps_data__notes ORDER BY 1");

scenario('two users never see rows of each other', owned, async (stage) => {
  const { source } = stage;
  source.put('notes', 'a1', { owner: 'ann', text: 'one' });
  source.put('notes', 'b1', { owner: 'ben', text: 'two' });
  const ann = await stage.open({ device: 'ann', user: 'ann' });
  const ben = await stage.open({ device: 'ben', user: 'ben' });
  await Promise.all([ann.sync(), ben.sync()]);
  assert.deepEqual(await ann.rows(TEXTS), [{ id: 'a1', text: 'one' }]);
  assert.deepEqual(await ben.rows(TEXTS), [{ id: 'b1', text: 'two' }]);

  // A write belongs to its user, whatever it says, and does not reach rows of others.
  await ann.db.execute("INSERT INTO notes (id, owner, text) VALUES ('a2', 'ben', 'a gift')");
  await ann.db.execute("INSERT INTO notes (id, owner, text) VALUES ('b1', 'ann', 'stolen')");
  await ann.uploaded();
  await ann.shows(TEXTS, [{ id: 'a1', text: 'one' }, { id: 'a2', text: 'a gift' }]);
  assert.deepEqual(ann.connector.refused.map(({ failed_operation: failed }) => failed.error_code), ['UNAUTHORIZED']);
  assert.deepEqual(source.table('notes').get('b1'), { id: 'b1', owner: 'ben', text: 'two', mark: null });
  assert.equal(source.table('notes').get('a2').owner, 'ann');

  // A row that moves to the other user leaves the one and comes to the other.
  source.patch('notes', 'a1', { owner: 'ben' });
  await ben.shows(TEXTS, [{ id: 'a1', text: 'one' }, { id: 'b1', text: 'two' }]);
  await ann.shows(TEXTS, [{ id: 'a2', text: 'a gift' }]);
  assert.deepEqual((await stored(ann)).map(({ row_id: id }) => id), ['a2']);
  assert.deepEqual((await stored(ben)).map(({ row_id: id }) => id), ['a1', 'b1']);
});

scenario('two devices of a user converge after both were offline', owned, async (stage) => {
  const { source } = stage;
  source.put('notes', 'n1', { owner: 'ann', text: 'one', mark: 'red' });
  source.put('notes', 'n2', { owner: 'ann', text: 'two' });
  const phone = await stage.open({ device: 'phone', user: 'ann' });
  const laptop = await stage.open({ device: 'laptop', user: 'ann' });
  for (const device of [phone, laptop]) {
    await device.sync();
    await device.db.disconnect();
  }
  await phone.db.execute("UPDATE notes SET text = 'by phone' WHERE id = 'n1'");
  await phone.db.execute("INSERT INTO notes (id, owner, text) VALUES ('p', 'ann', 'from the phone')");
  await laptop.db.execute("UPDATE notes SET mark = 'blue' WHERE id = 'n1'");
  await laptop.db.execute("DELETE FROM notes WHERE id = 'n2'");
  await laptop.db.execute("INSERT INTO notes (id, owner, text) VALUES ('l', 'ann', 'from the laptop')");

  await Promise.all([phone.connect(), laptop.connect({ checkpointMode: 'requests' })]);
  await Promise.all([phone.uploaded(), laptop.uploaded()]);
  const rows = [
    { id: 'l', owner: 'ann', text: 'from the laptop', mark: null },
    { id: 'n1', owner: 'ann', text: 'by phone', mark: 'blue' },
    { id: 'p', owner: 'ann', text: 'from the phone', mark: null }
  ];
  for (const device of [phone, laptop]) {
    await device.shows('SELECT * FROM notes ORDER BY id', rows);
    assert.deepEqual(device.connector.refused, []);
  }
  assert.deepEqual([...source.table('notes').values()], rows);
});

const members = {
  direct: true,
  seed: `CREATE TABLE lists (id TEXT PRIMARY KEY NOT NULL, name TEXT, rank INTEGER);
CREATE TABLE todos (id TEXT PRIMARY KEY NOT NULL, list_id TEXT, title TEXT, done INTEGER);
CREATE TABLE members (id TEXT PRIMARY KEY NOT NULL, list_id TEXT, user_id TEXT);`,
  config: `config: {edition: 3}
with:
  mine: SELECT list_id FROM members WHERE user_id = auth.user_id()
streams:
  lists: {auto_subscribe: true, priority: 1, query: SELECT * FROM lists WHERE id IN mine}
  todos: {auto_subscribe: true, query: SELECT * FROM todos WHERE list_id IN mine}
`,
  writes: `writes:
  tables:
    todos: {check: "list_id IN (SELECT list_id FROM members WHERE user_id = auth.user_id())"}
`
};

scenario('who becomes a member gets the rows, and who is none any more loses them', members, async (stage) => {
  const { program, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('todos', 't1', { list_id: 'l1', title: 'Milk' });
  source.put('members', 'm1', { list_id: 'l1', user_id: 'ann' });
  const ann = await stage.open({ device: 'ann', user: 'ann' });
  const ben = await stage.open({ device: 'ben', user: 'ben' });
  await Promise.all([ann.sync(), ben.sync()]);
  const titles = 'SELECT name, title FROM lists JOIN todos ON list_id = lists.id ORDER BY todos.id';
  const milk = { name: 'Groceries', title: 'Milk' };
  assert.deepEqual(await ann.rows(titles), [milk]);
  assert.deepEqual(await ben.rows('SELECT id FROM lists UNION ALL SELECT id FROM todos'), []);

  source.put('members', 'm2', { list_id: 'l1', user_id: 'ben' });
  await ben.shows(titles, [milk]);
  await ben.db.execute("INSERT INTO todos (id, list_id, title) VALUES ('t2', 'l1', 'Bread')");
  for (const client of [ann, ben]) await client.shows(titles, [milk, { name: 'Groceries', title: 'Bread' }]);

  // Offline, with a write that comes too late.
  await ben.db.disconnect();
  await ben.db.execute("UPDATE todos SET title = 'Beer' WHERE id = 't2'");
  source.delete('members', 'm2');
  await ben.connect();
  await ben.shows('SELECT id FROM lists UNION ALL SELECT id FROM todos', []);
  await ben.uploaded();
  assert.deepEqual(ben.connector.refused.map(({ failed_operation: failed }) => failed.error_code), ['UNAUTHORIZED']);
  assert.deepEqual(await ben.rows('SELECT * FROM ps_oplog'), []);
  assert.deepEqual(await ann.rows(titles), [milk, { name: 'Groceries', title: 'Bread' }]);
  assert.deepEqual((await program.status()).problems, []);
});
