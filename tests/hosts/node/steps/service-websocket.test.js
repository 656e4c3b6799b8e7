// The SDK's other way to connect, RSocket over WebSocket, which apps on React Native use: with the real service, and
// nothing in between.

import assert from 'node:assert/strict';
import { SyncStreamConnectionMethod } from '@powersync/common';
import { fillWithMany, MANY } from '../app/example.js';
import { scenario } from '../app/scenario.js';
import { tokenOf } from '../service/token.js';

const NAMES = 'SELECT name FROM lists ORDER BY id';

const WEB_SOCKET = { connectionMethod: SyncStreamConnectionMethod.WEB_SOCKET };

/** Lines are always BSON. */
const websocket = (name, body) => scenario(name, { formats: [undefined] }, body);

/** The SDK says that it cannot reach the service. */
const lost = [/Sync error/, /fetch failed/, /Caught exception/, /[Ss]ocket/, /Closed/, /ECONNREFUSED/, /shutting down/];

websocket('over a WebSocket: first sync, changes, uploads, restarts', async (stage) => {
  const { program, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('todos', 't1', { list_id: 'l1', title: 'Milk' });
  const client = await stage.open();
  client.expectedErrors.push(...lost);
  await client.sync(WEB_SOCKET);
  assert.deepEqual(await client.rows(NAMES), [{ name: 'Groceries' }]);
  const { requests, clients } = await program.status();
  assert.equal(clients.length, 1, JSON.stringify({ requests, clients }));

  source.put('lists', 'l2', { name: 'Garden' });
  await client.shows(NAMES, [{ name: 'Groceries' }, { name: 'Garden' }]);
  await client.db.execute("INSERT INTO lists (id, name) VALUES ('l3', 'Travel')");
  await client.uploaded();
  assert.equal(source.table('lists').get('l3').name, 'Travel');
  const stream = client.db.syncStream('todos', { list: 'l1' });
  const todos = await stream.subscribe();
  await todos.waitForFirstSync();
  assert.deepEqual(await client.rows('SELECT title FROM todos'), [{ title: 'Milk' }]);

  await program.stop();
  await client.status((status) => !status.connected, 'the loss of the connection');
  source.put('lists', 'l2', { name: 'Wood' });
  await program.start();
  await client.shows(NAMES, [{ name: 'Groceries' }, { name: 'Wood' }, { name: 'Travel' }]);
  await program.kill();
  await client.status((status) => !status.connected, 'the loss of the connection');
  source.delete('lists', 'l3');
  await program.start();
  await client.shows(NAMES, [{ name: 'Groceries' }, { name: 'Wood' }]);
});

websocket('over a WebSocket: many rows, more than the client takes at once', async (stage) => {
  fillWithMany(stage.source);
  const client = await stage.open();
  client.expectedErrors.push(...lost);
  await client.sync(WEB_SOCKET);
  assert.deepEqual(await client.rows('SELECT count(*) AS rows FROM lists'), [{ rows: MANY }]);
  assert.equal((await stage.program.status()).counters.operations_sent, MANY);
});

websocket('over a WebSocket: a token that the service does not know', async (stage) => {
  stage.source.put('lists', 'l1', { name: 'Groceries' });
  const client = await stage.open();
  client.expectedErrors.push(...lost, /PSYNC_S2102/);
  const others = `${tokenOf('user').slice(0, -1)}_`;
  client.connector.token = (number) => (number === 1 ? others : tokenOf('user'));
  await client.connect(WEB_SOCKET);
  await client.status((status) => status.hasSynced && status.downloadError === undefined, 'the first sync');
  assert.deepEqual(await client.rows(NAMES), [{ name: 'Groceries' }]);
});
