// The real service as an application uses it: first sync, changes, uploads, streams, with nothing in between.

import assert from 'node:assert/strict';
import { SEED } from '../app/example.js';
import { within } from '../app/promises.js';
import { scenario } from '../app/scenario.js';
import { tokenOf } from '../service/token.js';

const NAMES = 'SELECT name FROM lists ORDER BY id';
const TITLES = 'SELECT title FROM todos ORDER BY id';

for (const checkpointMode of ['legacy', 'requests']) {
  scenario(`a day of an application, ${checkpointMode} checkpoints`, { direct: true }, async (stage) => {
    const { program, source } = stage;
    source.put('lists', 'l1', { name: 'Groceries' });
    source.put('todos', 't1', { list_id: 'l1', title: 'Milk' });
    source.put('todos', 't2', { list_id: 'l2', title: 'Rake' });
    const client = await stage.open();
    await client.sync({ checkpointMode });
    assert.deepEqual(await client.rows(NAMES), [{ name: 'Groceries' }]);

    source.transaction(() => {
      source.put('lists', 'l2', { name: 'Garden' });
      source.delete('lists', 'l1');
    });
    const states = await client.shows(NAMES, [{ name: 'Garden' }]);
    assert.ok(states.every((rows) => rows.length === 1), JSON.stringify(states));

    await client.db.execute("INSERT INTO lists (id, name) VALUES ('l3', 'Travel')");
    await client.uploaded();
    assert.equal(source.table('lists').get('l3').name, 'Travel');

    const stream = client.db.syncStream('todos', { list: 'l2' });
    const todos = await stream.subscribe();
    await within(todos.waitForFirstSync(), 'the first sync of the stream');
    assert.deepEqual(await client.rows(TITLES), [{ title: 'Rake' }]);
    source.put('todos', 't3', { list_id: 'l2', title: 'Seeds' });
    await client.shows(TITLES, [{ title: 'Rake' }, { title: 'Seeds' }]);
    todos.unsubscribe();
    await stream.unsubscribeAll();
    await client.shows(TITLES, []);
    assert.deepEqual(await client.rows(NAMES), [{ name: 'Garden' }, { name: 'Travel' }]);

    const { clients, counters } = await program.status();
    const clientId = await client.db.getClientId();
    assert.deepEqual(clients.map(({ user, client_id: id }) => [user, id]), [['user', clientId]]);
    // l1; l2 and the removal of l1; l3; t2; t3.
    assert.equal(counters.operations_sent, 6);
    assert.equal(counters.connections_opened, 3, 'the first, and one for each change of the subscriptions');
  });
}

scenario('many writes at once, more than the service takes in one request', { direct: true }, async (stage) => {
  const { source } = stage;
  const client = await stage.open();
  for (let i = 0; i < 120; i++) await client.db.execute('INSERT INTO lists (id, name, rank) VALUES (?, ?, ?)', [`l${i}`, 'x', i]);
  await client.connect();
  await client.uploaded();
  assert.equal(client.connector.uploads.length, 120);
  assert.equal(source.table('lists').size, 120);
  await client.status((status) => status.hasSynced, 'the first sync');
  assert.deepEqual(await client.rows('SELECT count(*) AS rows, sum(rank) AS ranks FROM lists'), [{ rows: 120, ranks: 7140 }]);
});

/** Counts how often a list is written. */
const counted = {
  seed: `${SEED}
CREATE TABLE written (id INTEGER PRIMARY KEY, list TEXT);
CREATE TRIGGER inserted AFTER INSERT ON lists BEGIN INSERT INTO written (list) VALUES (NEW.id); END;
CREATE TRIGGER updated AFTER UPDATE ON lists BEGIN INSERT INTO written (list) VALUES (NEW.id); END;`
};

scenario('long texts: a row of 5 MB, and many that are long together', { direct: true }, async (stage) => {
  const { source } = stage;
  const text = (length, letter) => letter.repeat(length);
  source.put('lists', 'down', { name: text(5_000_000, 'd') });
  const client = await stage.open();
  await client.db.execute('INSERT INTO lists (id, name) VALUES (?, ?)', ['up', text(5_000_000, 'u')]);
  for (let i = 0; i < 40; i++) {
    await client.db.execute('INSERT INTO todos (id, list_id, title) VALUES (?, ?, ?)', [`t${i}`, 'up', text(100_000, 't')]);
  }
  await client.connect();
  await client.uploaded();
  assert.equal(source.table('lists').get('up').name.length, 5_000_000);
  assert.equal(source.table('todos').size, 40);
  const lengths = 'SELECT id, length(name) AS length FROM lists ORDER BY id';
  await client.shows(lengths, [{ id: 'down', length: 5_000_000 }, { id: 'up', length: 5_000_000 }]);
});

scenario('an upload whose answer is lost is not applied twice, if the connector names its queue', counted, async (stage) => {
  const { service, source } = stage;
  const client = await stage.open();
  client.expectedErrors.push(/fetch failed/);
  client.connector.identity = { client_id: await client.db.getClientId(), queue: 'the first' };
  await client.sync();
  service.loseAnswer('POST /api/data');
  const failed = client.status((status) => /fetch failed/.test(status.uploadError?.message), 'the failure');
  await client.db.execute("INSERT INTO lists (id, name) VALUES ('l1', 'Groceries')");
  await failed;
  await client.uploaded();
  assert.equal(service.requests.filter((route) => route === 'POST /api/data').length, 2);
  assert.equal(source.table('written').size, 1);
});

scenario('a transaction that breaks a constraint is refused as a whole, and those after it are taken', {
  direct: true,
  seed: `CREATE TABLE lists (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, rank INTEGER CHECK (rank >= 0));
CREATE TABLE todos (id TEXT PRIMARY KEY NOT NULL, list_id TEXT, title TEXT, done INTEGER);`
}, async (stage) => {
  const { source } = stage;
  const client = await stage.open();
  await client.db.execute("INSERT INTO lists (id, name) VALUES ('l1', 'first')");
  await client.db.writeTransaction(async (transaction) => {
    await transaction.execute("INSERT INTO lists (id, name) VALUES ('l2', 'with it')");
    await transaction.execute("INSERT INTO lists (id, name, rank) VALUES ('l3', 'bad', -1)");
  });
  await client.db.execute("INSERT INTO lists (id, name) VALUES ('l4', 'after')");
  await client.connect();
  await client.uploaded();
  await client.shows(NAMES, [{ name: 'first' }, { name: 'after' }]);
  assert.deepEqual([...source.table('lists').keys()], ['l1', 'l4']);
  const [{ status, failed_operation: failed }, ...others] = client.connector.refused;
  assert.deepEqual([status, failed.error_code, others], ['fatal_error', 'CHECK_VIOLATION', []]);
});

scenario('a service that does not know the token says so, and syncs with the right one', { direct: true }, async (stage) => {
  stage.source.put('lists', 'l1', { name: 'Groceries' });
  const client = await stage.open();
  client.expectedErrors.push(/401/, /Unauthorized/);
  const others = `${tokenOf('user').slice(0, -1)}_`;
  client.connector.token = (number) => (number === 1 ? others : tokenOf('user'));
  await client.connect();
  await client.status((status) => status.hasSynced && status.downloadError === undefined, 'the first sync');
  assert.deepEqual(await client.rows(NAMES), [{ name: 'Groceries' }]);
});
