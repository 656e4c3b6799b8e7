// A todo app that works offline, with the published JavaScript SDK: it has the loop that the other examples write out.
//
// usage: node todo-sdk.js list | add LIST TEXT | done TODO | sync | watch
//
// The SDK sees what its own process writes. `watch` shows and uploads what other processes have written to the file when it
// connects the next time.

import { resolve } from 'node:path';
import { isMainThread, Worker } from 'node:worker_threads';
import { column, LogLevels, Schema, Table } from '@powersync/common';
import { PowerSyncDatabase } from '@powersync/node';
import { startPowerSyncWorker } from '@powersync/node/worker.js';

const LIBRARY = process.env.POWERSYNC_LIBRARY ?? 'target/release/libpowersync.so';
const SERVICE = process.env.TODO_URL ?? 'http://127.0.0.1:8080';
const USER = process.env.TODO_USER ?? 'alice';
const FILE = process.env.TODO_FILE ?? 'todo.db';
const SCHEMA = new Schema({
  lists: new Table({ name: column.text }),
  todos: new Table({ list_id: column.text, description: column.text, done: column.integer, created_at: column.text })
});
const ADD = `INSERT INTO todos (id, list_id, description, done, created_at)
  VALUES (uuid(), ?, ?, 0, strftime('%Y-%m-%d %H:%M:%f', 'now'))`;
const SHOW = `SELECT line FROM (
  SELECT 1 AS part, name, id AS list, '' AS at, name || ' (' || id || ')' AS line FROM lists UNION ALL
  SELECT 1, name, list_id, created_at, '  [' || iif(done, 'x', ' ') || '] ' || description || ' (' || todos.id || ')'
    FROM todos JOIN lists ON lists.id = list_id UNION ALL
  SELECT 2, '', '', '', 'waiting to be uploaded: ' || n FROM (SELECT count(*) AS n FROM ps_crud) WHERE n > 0)
  ORDER BY part, name, list, at`;

/** What the SDK needs of an app. */
class Connector {
  /** Called when there is no token, or it expires soon. In production your backend makes them. */
  async fetchCredentials() {
    const response = await fetch(`${SERVICE}/dev/token?user=${encodeURIComponent(USER)}`);
    if (!response.ok) throw new Error(`no token: ${response.status} ${response.statusText}`);
    return { endpoint: SERVICE, token: await response.text() };
  }

  /** Called when there are local writes. If it throws, the SDK calls it again after a delay. */
  async uploadData(database) {
    const { token } = await this.fetchCredentials();
    const headers = { authorization: `Token ${token}`, 'content-type': 'application/json' };
    for await (const transaction of database.getCrudTransactions()) {
      const crud = transaction.crud.map(({ op, table, id, opData }) => ({ op, table, id, op_data: opData }));
      const body = JSON.stringify({ transactions: [{ transaction_id: transaction.transactionId, crud }] });
      const response = await fetch(`${SERVICE}/api/data`, { method: 'POST', headers, body });
      if (!response.ok) throw new Error(`/api/data: ${response.status} ${response.statusText}`);
      const [{ status, message }] = (await response.json()).results;
      if (status === 'retryable_error') throw new Error(message);
      // The next checkpoint undoes what the service refuses for good. An app can also let its user correct it.
      if (status === 'fatal_error') console.log(`refused: ${crud[0].op} ${crud[0].table}: ${message}`);
      await transaction.complete();
    }
  }
}

/** Shows what other processes would see: the lists, and how many changes are still to be uploaded. */
async function show(db) {
  console.log((await db.getAll(SHOW)).map(({ line }) => line).join('\n'));
}

/** Waits until everything has synced once from now on. Local writes hold that back, so they are uploaded then, too. */
async function sync(db) {
  const start = Date.now();
  db.connect(new Connector());
  const failure = ({ downloadError, uploadError }) => downloadError ?? uploadError;
  await db.waitForStatus((status) => status.lastSyncedAt >= start || failure(status));
  const error = db.currentStatus.lastSyncedAt >= start ? null : failure(db.currentStatus);
  if (error) {
    console.error(`offline: ${error.message}`);
    process.exitCode = 1;
  }
}

async function watch(db) {
  db.connect(new Connector(), { retryDelayMs: 1000 });
  for await (const result of db.watch(SHOW)) {
    console.log(`${result.rows._array.map(({ line }) => line).join('\n')}\n`);
  }
}

async function main([command, ...values]) {
  const db = new PowerSyncDatabase({
    schema: SCHEMA,
    database: {
      dbFilename: FILE,
      readWorkerCount: 1, // a command reads little; more of them take longer to start
      openWorker: (_, options) => new Worker(new URL(import.meta.url), options)
    },
    logger: { log: ({ level, message, error }) => level >= LogLevels.warn && console.error(message, error?.message ?? '') }
  });
  if (command === 'add' && values.length === 2) await db.execute(ADD, values);
  else if (command === 'done' && values.length === 1) await db.execute('UPDATE todos SET done = 1 WHERE id = ?', values);
  else if (command === 'sync') await sync(db);
  else if (command === 'watch') await watch(db);
  else if (command !== 'list') {
    console.error('usage: node todo-sdk.js list | add LIST TEXT | done TODO | sync | watch');
    process.exit(2);
  }
  await show(db);
  await db.close();
}

// The SDK has its connections in workers. They run this file, too, and load our library instead of the one of the SDK.
if (isMainThread) await main(process.argv.slice(2));
else startPowerSyncWorker({ extensionPath: () => resolve(LIBRARY) });
