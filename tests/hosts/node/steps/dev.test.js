// The connector that the documentation shows, with the todo app of `rowtide dev`, as somebody would begin.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { column, Schema, Table } from '@powersync/common';
import { Client } from '../app/client.js';
import { within } from '../app/promises.js';
import { Program } from '../service/program.js';

const page = await readFile(new URL('../../../../docs/service/README.md', import.meta.url), 'utf8');
const [, code] = /```js\n(export class Connector[^]*?)```/.exec(page);
const { Connector } = await import(`data:text/javascript,${encodeURIComponent(code)}`);

const schema = new Schema({
  lists: new Table({ name: column.text, owner_id: column.text }),
  todos: new Table({ list_id: column.text, description: column.text, done: column.integer, created_at: column.text })
});

const LISTS = 'SELECT name FROM lists ORDER BY name';

test('the connector of the documentation syncs and uploads', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'powersync-node-'));
  const program = new Program(directory, ['dev', '--ephemeral', '--ready-file', 'ready.json']);
  const warnings = t.mock.method(console, 'warn', () => {});
  const clients = [];
  try {
    await program.start();
    const { url, pid } = program.ready;
    assert.deepEqual(JSON.parse(await readFile(join(directory, 'ready.json'), 'utf8')), { url, pid });
    const open = (user, device) => {
      const client = new Client(new Connector(program.url, user), join(directory, `${device}.db`), { schema });
      clients.push(client);
      return client;
    };
    const [phone, laptop, bob] = [open('alice', 'phone'), open('alice', 'laptop'), open('bob', 'bob')];
    await Promise.all([phone, laptop, bob].map((client) => client.sync()));
    assert.deepEqual(await bob.rows(LISTS), [{ name: 'Garden' }]);

    await phone.db.execute("INSERT INTO lists (id, name) VALUES ('new', 'New')");
    await phone.db.execute("INSERT INTO todos (id, list_id, description) VALUES ('milk', 'new', 'Milk')");
    const todo = 'SELECT name, owner_id, description, done FROM lists JOIN todos ON list_id = lists.id WHERE todos.id = ?';
    const expected = [{ name: 'New', owner_id: 'alice', description: 'Milk', done: 0 }];
    for (const client of [phone, laptop]) await client.shows(todo, expected, ['milk']);

    assert.equal(warnings.mock.callCount(), 0);
    await bob.db.execute("INSERT INTO todos (id, list_id, description) VALUES ('not his', 'new', 'x')");
    await bob.uploaded();
    await bob.shows("SELECT * FROM todos WHERE id = 'not his'", []);
    assert.equal(warnings.mock.callCount(), 1);
    assert.deepEqual(await laptop.rows("SELECT * FROM todos WHERE id = 'not his'"), []);

    // The stream of one list, by its id: for its owner alone.
    for (const [client, todos] of [[bob, 0], [laptop, 3]]) {
      const list = await client.db.syncStream('list', { id: 'list-groceries' }).subscribe();
      await within(list.waitForFirstSync(), 'the first sync of the list');
      const count = "SELECT count(*) AS todos FROM todos WHERE list_id = 'list-groceries'";
      assert.deepEqual(await client.rows(count), [{ todos }]);
    }

    for (const client of clients) await client.close();
    await program.stop();
    assert.deepEqual((await readdir(directory)).filter((name) => !/\.db(-wal|-shm)?$/.test(name)), [], 'what is left');
  } finally {
    await Promise.all(clients.map((client) => client.abandon()));
    await program.kill();
    await rm(directory, { recursive: true });
  }
});
