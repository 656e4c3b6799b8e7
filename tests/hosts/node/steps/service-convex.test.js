// The real service with a Convex deployment as source and as the database of uploads, as an application uses it.

import assert from 'node:assert/strict';
import { column, Table } from '@powersync/common';
import { scenario } from '../app/scenario.js';

const CONVEX = {
  convex: true,
  direct: true,
  tables: {
    todos: new Table({ text: column.text, done: column.integer, count: column.text, rank: column.real })
  },
  config: `config: {edition: 3}
streams:
  todos:
    auto_subscribe: true
    query: SELECT uuid AS id, text, done, count, rank FROM todos
`,
  writes: `writes:
  tables:
    todos:
      columns: [text, done, count, rank]
      set: {owner: auth.user_id()}
`
};

const TODOS = 'SELECT id, text, done, count FROM todos ORDER BY id';

scenario('two devices and a Convex deployment, with writes while they are offline', CONVEX, async (stage) => {
  const { convex } = stage;
  const large = { $integer: 'AQAAAAAAIAA=' }; // 2^53 + 1
  await convex.run({ commit: [{ put: 'todos', document: { uuid: 'a', text: 'Milk', done: false, count: large } }] });
  const first = await stage.open({ device: 'first' });
  const second = await stage.open({ device: 'second' });
  first.connector.identity = { client_id: 'first', queue: '1' };
  await first.sync();
  await second.sync();
  const milk = { id: 'a', text: 'Milk', done: 0, count: '9007199254740993' };
  assert.deepEqual(await first.rows(TODOS), [milk]);
  assert.deepEqual(await second.rows(TODOS), [milk]);

  // Both write while they are away, one of them in one transaction.
  await first.db.disconnect();
  await second.db.disconnect();
  await first.db.writeTransaction(async (transaction) => {
    await transaction.execute("INSERT INTO todos (id, text, done, count, rank) VALUES ('b', 'Rake', 1, '-5', 1)");
    await transaction.execute("UPDATE todos SET done = 1 WHERE id = 'a'");
  });
  await second.db.execute("INSERT INTO todos (id, text) VALUES ('c', 'Seeds')");
  await second.db.execute("UPDATE todos SET text = 'Oat milk' WHERE id = 'a'");

  // The answer to the first upload is lost: it is sent again, and applied once.
  await convex.run({ fail: 'mutation', body: 'lost' });
  await first.sync();
  await first.uploaded();
  await second.sync();
  await second.uploaded();
  const all = [
    { id: 'a', text: 'Oat milk', done: 1, count: '9007199254740993' },
    { id: 'b', text: 'Rake', done: 1, count: '-5' },
    { id: 'c', text: 'Seeds', done: null, count: null }
  ];
  await first.shows(TODOS, all);
  await second.shows(TODOS, all);
  const stored = await convex.todos();
  assert.deepEqual(stored.get('b'), { uuid: 'b', text: 'Rake', done: true, count: '-5', rank: 1, owner: 'user' });
  assert.deepEqual(stored.get('a'), { uuid: 'a', text: 'Oat milk', done: true, count: '9007199254740993', owner: 'user' });

  // While both are there.
  await first.db.execute("DELETE FROM todos WHERE id = 'b'");
  await first.uploaded();
  await second.shows(TODOS, [all[0], all[2]]);
  assert.equal((await convex.todos()).size, 2);
});

scenario('what Convex refuses is undone, and the app goes on', CONVEX, async (stage) => {
  const { convex } = stage;
  const client = await stage.open();
  await client.sync();
  await client.db.execute("INSERT INTO todos (id, text, count) VALUES ('a', 'x', 'many')");
  await client.db.execute("INSERT INTO todos (id, text, count) VALUES ('b', 'y', '2')");
  await client.shows(TODOS, [{ id: 'b', text: 'y', done: null, count: '2' }]);
  await client.uploaded();
  assert.deepEqual(client.connector.refused.map(({ failed_operation: failed }) => failed.error_code), ['INVALID_DATA']);
  assert.deepEqual([...(await convex.todos()).keys()], ['b']);
});
