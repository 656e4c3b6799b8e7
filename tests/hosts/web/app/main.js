// An app on the SDK, which the tests use through `app`.
import { column, PowerSyncDatabase, Schema, Table } from '@powersync/web';
import { Connector } from './connector.js';

const schema = new Schema({ items: new Table({ name: column.text, rank: column.integer }) });

/** Short delays; no test depends on how long they are. */
const OPTIONS = { retryDelayMs: 50, crudUploadThrottleMs: 1 };

let db;

globalThis.app = {
  /** Opens a database; gives the version of the extension in it. */
  async open({ name, vfs, tabs, worker }) {
    const database = { dbFilename: name, vfs, enableMultiTabs: tabs, ...(worker && { worker }) };
    db = new PowerSyncDatabase({ schema, database, ...(worker && { sync: { worker } }) });
    await db.init();
    return (await db.get('SELECT powersync_rs_version() AS version')).version;
  },

  /** Connects to the service; is done when everything was synced once. */
  async sync(url, user) {
    await db.connect(new Connector(url, user), OPTIONS);
    await db.waitForFirstSync();
  },

  rows: (sql) => db.getAll(sql),

  execute: (sql) => db.execute(sql).then(() => {}),

  /** Waits until a query gives one value. */
  async until(sql, expected) {
    const abort = new AbortController();
    for await (const result of db.watch(sql, [], { signal: abort.signal, throttleMs: 1 })) {
      const [value] = Object.values(result.rows._array[0]);
      if (value === expected) return abort.abort();
    }
  },

  close: () => db.close()
};
