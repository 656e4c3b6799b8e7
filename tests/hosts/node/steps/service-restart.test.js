// The real service is killed while clients are connected, and comes back on its storage.

import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fillWithMany, firstLineOf, holdSecondLine, MANY } from '../app/example.js';
import { scenario } from '../app/scenario.js';

const NAMES = 'SELECT name FROM lists ORDER BY id';

/** The SDK says that it cannot reach the service. */
const lost = [/Sync error/, /fetch failed/, /Caught exception/, /Invalid argument|terminated/];

const operationsSent = async ({ program }) => (await program.status()).counters.operations_sent;

scenario('killed while idle: nothing is downloaded again', { direct: true }, async (stage) => {
  const { program, source } = stage;
  fillWithMany(source);
  const client = await stage.open();
  client.expectedErrors.push(...lost);
  await client.sync();
  assert.equal(await operationsSent(stage), MANY);

  await program.kill();
  await client.status((status) => !status.connected, 'the loss of the connection');
  source.put('lists', 'new', { name: 'New', rank: -1 });
  await client.db.execute("UPDATE lists SET name = 'Mine' WHERE id = 'l1'");
  await program.start();
  await client.shows('SELECT name FROM lists WHERE rank < 2 ORDER BY rank', [{ name: 'New' }, { name: 'Mine' }]);
  await client.uploaded();
  assert.equal(source.table('lists').get('l1').name, 'Mine');
  assert.equal(await operationsSent(stage), 2, 'the new row and the write');
  assert.deepEqual(await client.rows('SELECT count(*) AS rows FROM lists'), [{ rows: MANY + 1 }]);
});

scenario('stopped and started again: nothing is downloaded again', { direct: true }, async (stage) => {
  const { program, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  const client = await stage.open();
  client.expectedErrors.push(...lost);
  await client.sync();
  await program.stop();
  await client.status((status) => !status.connected, 'the loss of the connection');
  source.put('lists', 'l2', { name: 'Garden' });
  await program.start();
  await client.shows(NAMES, [{ name: 'Groceries' }, { name: 'Garden' }]);
  assert.equal(await operationsSent(stage), 1);
});

scenario('with a new storage: all comes again, and no row vanishes in between', {}, async (stage) => {
  const { program, service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('lists', 'l2', { name: 'Garden' });
  const client = await stage.open();
  // Until it has read the source.
  client.expectedErrors.push(...lost, /No sync configuration is active yet/);
  await client.sync();
  await client.db.execute("UPDATE lists SET name = 'Shopping' WHERE id = 'l1'");
  await client.uploaded();
  const before = (await service.stream(1)).buckets();
  await program.kill();
  for (const name of await readdir(stage.directory)) {
    if (name.startsWith('storage.db')) await rm(join(stage.directory, name));
  }
  source.delete('lists', 'l2');
  source.put('lists', 'l3', { name: 'Travel' });
  await client.db.execute("INSERT INTO lists (id, name) VALUES ('l4', 'Mine')");
  const shown = client.shows(NAMES, [{ name: 'Shopping' }, { name: 'Travel' }, { name: 'Mine' }]);
  await program.start();
  const states = await shown;
  assert.ok(states.every((rows) => rows.some(({ name }) => name === 'Mine')), JSON.stringify(states));
  assert.ok(states.every((rows) => rows[0].name === 'Shopping'), JSON.stringify(states));
  await client.uploaded();
  const last = await service.stream(service.streamCount);
  assert.deepEqual(last.request.buckets.map(({ name }) => name), before);
  assert.ok(!last.buckets().some((name) => before.includes(name)), 'the names are new');
  assert.deepEqual([...source.table('lists').keys()], ['l1', 'l3', 'l4']);
});

scenario('killed in the middle of a download: the client goes on where it was', {}, async (stage) => {
  const { program, service, source } = stage;
  fillWithMany(source);
  const cut = holdSecondLine(service);
  const client = await stage.open();
  client.expectedErrors.push(...lost);
  await client.connect();
  const first = await cut.reached;
  await firstLineOf(client);
  await program.kill();
  first.drop();
  await program.start();
  await client.status((status) => status.hasSynced, 'the first sync');
  const second = await service.stream(2);
  const [{ data }] = first.lines.filter((line) => line.data !== undefined);
  assert.deepEqual(second.request.buckets, [{ name: data.bucket, after: data.next_after }]);
  assert.equal(second.operations.length, MANY - 1000);
  assert.equal(await operationsSent(stage), MANY - 1000);
  assert.deepEqual(await client.rows('SELECT count(*) AS rows, sum(rank) AS ranks FROM lists'), [
    { rows: MANY, ranks: (MANY * (MANY + 1)) / 2 }
  ]);
});

scenario('killed between an upload and its acknowledgement: the write stays, and is acknowledged later', {}, async (stage) => {
  const { program, service, source } = stage;
  source.put('lists', 'l1', { name: 'before' });
  const client = await stage.open();
  client.expectedErrors.push(...lost);
  await client.sync();
  const shown = client.shows(NAMES, [{ name: 'after' }, { name: 'New' }]);
  const uploading = new Promise((resolve) => {
    client.connector.beforeUpload = async () => resolve(service.holdRequests('GET /write-checkpoint2.json'));
  });
  await client.db.execute("UPDATE lists SET name = 'after'");
  const held = await uploading;
  client.connector.beforeUpload = async () => {};
  await held.reached;
  await program.kill();
  held.release();
  await program.start();
  source.put('lists', 'l2', { name: 'New' });
  const states = (await shown).map(([first]) => first.name);
  assert.ok(!states.slice(states.indexOf('after')).includes('before'), String(states));
  await client.uploaded();
  assert.deepEqual([...source.table('lists').values()].map(({ name }) => name), ['after', 'New']);
});
