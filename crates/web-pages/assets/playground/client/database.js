// The database of a device: one connection, used by one caller at a time.
import { startSqlite, useFiles } from './sqlite.js';

/** SQLite's result codes, without what is added to them. */
const FULL = 13;
const INPUT_OUTPUT = 10;
const ROW = 100;

/** What the app remembers about itself: tables of the app may stand beside those of the extension. */
const SETTINGS = 'CREATE TABLE IF NOT EXISTS playground_settings (key TEXT PRIMARY KEY, value TEXT)';

/** After how many ms files are tried again. */
const RETRIES = [20, 50, 100, 200, 400, 800, 1600];

/** Storage is full. Nothing was changed. */
export class StorageFull extends Error {
  constructor() {
    super('The browser gives this page no more storage. Nothing is lost; what does not fit is not stored.');
    this.name = 'StorageFull';
  }
}

export class Database {
  #sqlite;
  #files;
  #db;
  #turn = Promise.resolve();

  /** Whether it stays when the page is closed. If not, why. */
  isKept = true;
  whyNotKept = '';

  /**
   * Opens the file, or a database in memory where there are no files.
   *
   * @param {string} name
   */
  static async open(name) {
    const database = new Database();
    const { module, sqlite } = await startSqlite();
    database.#sqlite = sqlite;
    try {
      await navigator.storage.getDirectory();
      database.#files = await patiently(() => useFiles(sqlite, module));
    } catch (error) {
      // Private windows of some browsers have no files.
      database.isKept = false;
      database.whyNotKept = error.message;
    }
    database.#db = await patiently(() => sqlite.open_v2(database.isKept ? name : ':memory:'));
    try {
      await database.#prepare();
    } catch (error) {
      // So that the file can be deleted.
      await database.close();
      throw error;
    }
    return database;
  }

  async #prepare() {
    // One connection has the file for itself. So the log of writes needs no shared memory, which there is none of.
    const pragmas = ['locking_mode = EXCLUSIVE', 'journal_mode = WAL', 'synchronous = NORMAL', 'temp_store = MEMORY'];
    for (const pragma of pragmas) await this.query(`PRAGMA ${pragma}`);
    await this.transaction(async (run) => {
      await run('SELECT powersync_init()');
      await run(SETTINGS);
    });
    await this.query("SELECT powersync_update_hooks('install')");
  }

  /**
   * Runs one statement; gives its rows as objects.
   *
   * @param {string} sql
   * @param {unknown[]} values
   */
  query(sql, values = []) {
    return this.#exclusively(() => this.#run(sql, values));
  }

  /** The value of a query with one. */
  async value(sql, values = []) {
    return first(await this.query(sql, values));
  }

  /**
   * Calls a function that may run statements, in a transaction, which is rolled back if it throws.
   *
   * @template T
   * @param {(run: (sql: string, values?: unknown[]) => Promise<Record<string, any>[]>) => Promise<T>} action
   * @returns {Promise<T>}
   */
  transaction(action) {
    return this.#exclusively(async () => {
      await this.#run('BEGIN IMMEDIATE');
      try {
        const result = await action((sql, values) => this.#run(sql, values));
        await this.#run('COMMIT');
        return result;
      } catch (error) {
        // SQLite has rolled back by itself after some errors.
        await this.#run('ROLLBACK').catch(() => {});
        throw error;
      }
    });
  }

  /** The value of one statement, run in a transaction. */
  change(sql, values = []) {
    return this.transaction(async (run) => first(await run(sql, values)));
  }

  /** The tables that were changed since the last call, as the app names them. */
  async changedTables() {
    const tables = JSON.parse(await this.value("SELECT powersync_update_hooks('get')"));
    return tables.map((table) => table.replace(/^ps_data(_local)?__/, ''));
  }

  async setting(key) {
    return this.value('SELECT value FROM playground_settings WHERE key = ?', [key]);
  }

  async keepSetting(key, value) {
    await this.query('INSERT OR REPLACE INTO playground_settings VALUES (?, ?)', [key, value]);
  }

  async close() {
    await this.#exclusively(() => this.#sqlite.close(this.#db));
  }

  /**
   * One caller after the other: SQLite is asynchronous here, and a transaction is several calls.
   *
   * @template T
   * @param {() => Promise<T>} action
   * @returns {Promise<T>}
   */
  #exclusively(action) {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => {});
    return result;
  }

  async #run(sql, values = []) {
    try {
      return await this.#rows(sql, values);
    } catch (error) {
      const isFull = error.code % 256 === FULL || this.#files?.lastError?.name === 'QuotaExceededError';
      if (isFull && [FULL, INPUT_OUTPUT].includes(error.code % 256)) throw new StorageFull();
      throw error;
    } finally {
      if (this.#files) this.#files.lastError = null;
    }
  }

  async #rows(sql, values) {
    const rows = [];
    for await (const statement of this.#sqlite.statements(this.#db, sql)) {
      if (values.length > 0) this.#sqlite.bind_collection(statement, values);
      const names = this.#sqlite.column_names(statement);
      while ((await this.#sqlite.step(statement)) === ROW) {
        const row = this.#sqlite.row(statement);
        rows.push(Object.fromEntries(names.map((name, index) => [name, row[index]])));
      }
    }
    return rows;
  }
}

/** Tries again what fails while the worker before has not let go of its files: they outlive its locks for a moment. */
async function patiently(action) {
  for (const delay of RETRIES) {
    try {
      return await action();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
  return action();
}

function first(rows) {
  return rows.length === 0 ? undefined : Object.values(rows[0])[0];
}

/**
 * Deletes the files of a database that nobody has open.
 *
 * @param {string} name
 */
export async function deleteDatabase(name) {
  const directory = await navigator.storage.getDirectory();
  for (const suffix of ['', '-journal', '-wal']) {
    await directory.removeEntry(name + suffix).catch((error) => {
      if (error.name !== 'NotFoundError') throw error;
    });
  }
}
