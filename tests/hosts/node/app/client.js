// An application on the SDK: its database with the library under test, and what the SDK reported.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { Worker } from 'node:worker_threads';
import { LogLevels } from '@powersync/common';
import { PowerSyncDatabase } from '@powersync/node';
import Database from 'better-sqlite3';
import { library } from './library.js';
import { within } from './promises.js';

/** Instructions that SDKs know. Several of them fail on any other. */
const INSTRUCTIONS = [
  'LogLine',
  'UpdateSyncStatus',
  'EstablishSyncStream',
  'FetchCredentials',
  'CloseSyncStream',
  'DidCompleteSync',
  'CheckpointDelayedDueToLocalData'
];

/** Short delays, so that nothing waits for long; no test depends on how long they are. */
const CONNECT_OPTIONS = { retryDelayMs: 10, crudUploadThrottleMs: 1 };

export class Client {
  #workers = [];
  #exits = [];
  #listeners = new Set();
  #closed = false;
  #library;
  /** What the SDK logged, `{level, message, error}` each. */
  logs = [];
  /** Results of `powersync_control`, `{operation, instructions}` each. */
  calls = [];
  /** Every status that the SDK told, in order. */
  statuses = [];
  /** Errors that the SDK may log, by their text. */
  expectedErrors = [];

  /**
   * @param {object} connector of the model or of the real service
   * @param {string} file
   * @param {object} options
   * @param {import('@powersync/common').Schema} options.schema
   * @param {number | null} [options.readers] number of connections for reading; null is the SDK's own default
   * @param {string} [options.path] of another library than the one under test
   */
  constructor(connector, file, { schema, readers = 1, path = library.path }) {
    this.file = file;
    this.#library = path;
    this.connector = connector;
    this.db = new PowerSyncDatabase({
      schema,
      database: { dbFilename: file, readWorkerCount: readers, openWorker: (_, options) => this.#openWorker(options) },
      logger: { log: (record) => this.#log(record) }
    });
    this.db.registerListener({ statusChanged: (status) => this.statuses.push(status) });
  }

  #openWorker(options) {
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      ...options,
      workerData: { library: this.#library }
    });
    this.#workers.push(worker);
    this.#exits.push(once(worker, 'exit'));
    return worker;
  }

  #log(record) {
    this.logs.push(record);
    const call = /^powersync_control\((\w+), [^]*\) -> ([^]*)$/.exec(record.message);
    if (record.level === LogLevels.trace && call !== null) {
      this.calls.push({ operation: call[1], instructions: JSON.parse(call[2]) });
    }
    for (const listener of [...this.#listeners]) listener();
  }

  /** Instructions that `powersync_control` gave so far. */
  get instructions() {
    return this.calls.flatMap((call) => call.instructions);
  }

  /** Connects, and waits until the service answers. */
  async connect(options = {}) {
    await this.connector.beforeConnect?.();
    await within(this.db.connect(this.connector, { ...CONNECT_OPTIONS, ...options }), 'connecting');
  }

  /** Connects, and waits until everything was synced once. */
  async sync(options) {
    await this.connect(options);
    await this.status((status) => status.connected && status.hasSynced, 'the first sync');
  }

  /** Waits for a status. */
  async status(predicate, what) {
    await within(this.db.waitForStatus(predicate), () => `${what}; the status is ${JSON.stringify(this.db.currentStatus)}`);
  }

  /** Waits until a query gives these rows; returns everything that it gave until then. */
  async shows(sql, expected, parameters = []) {
    const seen = [];
    const abort = new AbortController();
    const watch = async () => {
      for await (const result of this.db.watch(sql, parameters, { signal: abort.signal, throttleMs: 1 })) {
        seen.push(result.rows._array);
        if (isDeepStrictEqual(result.rows._array, expected)) return;
      }
    };
    try {
      const what = () => `${sql} should give ${JSON.stringify(expected)}, gives ${JSON.stringify(seen.at(-1))}`;
      await within(watch(), what);
    } finally {
      abort.abort();
    }
    return seen;
  }

  /** Rows of a query, now. */
  rows(sql, parameters = []) {
    return this.db.getAll(sql, parameters);
  }

  /** Waits for a log record that matches, from now on. */
  logged(predicate, what) {
    const start = this.logs.length;
    return this.#next(() => this.logs.slice(start).find(predicate), what);
  }

  /** Waits until a checkpoint has to wait for local writes: the library says so to the log, at level INFO. */
  delayed() {
    const start = this.calls.length;
    const find = () =>
      this.calls
        .slice(start)
        .find(({ instructions }) => instructions.some(({ LogLine: log }) => log?.severity === 'INFO'));
    return this.#next(find, 'a checkpoint that is delayed');
  }

  /** Waits for an instruction of this name, from now on. */
  instruction(name) {
    const start = this.instructions.length;
    const find = () => this.instructions.slice(start).find((instruction) => name in instruction)?.[name];
    return this.#next(find, `instruction ${name}`);
  }

  #next(find, what) {
    let listener;
    const found = new Promise((resolve) => {
      listener = () => {
        const value = find();
        if (value !== undefined) resolve(value);
      };
      this.#listeners.add(listener);
    });
    return within(found, what).finally(() => this.#listeners.delete(listener));
  }

  /** Waits until the upload queue is empty and the service has acknowledged it. */
  async uploaded() {
    await this.shows('SELECT count(*) AS waiting FROM ps_crud', [{ waiting: 0 }]);
    const target = "SELECT CAST(value AS TEXT) AS target FROM ps_kv WHERE key = 'target_checkpoint_request_id'";
    const seen = "SELECT CAST(value AS TEXT) AS seen FROM ps_kv WHERE key = 'last_applied_checkpoint_request_id'";
    const open = `SELECT coalesce((${seen}) + 0 >= (${target}) + 0, 0) AS acknowledged`;
    await this.shows(open, [{ acknowledged: 1 }]);
  }

  /** Closes the database, and checks that nothing is left of it and that nothing went wrong unnoticed. */
  async close() {
    if (this.#closed) return;
    this.#closed = true;
    await within(this.db.close(), 'closing the database');
    await within(Promise.all(this.#exits), 'the end of the database workers');
    this.#checkFile();
    this.#checkInstructions();
    const unexpected = this.logs
      .filter(({ level }) => level >= LogLevels.error)
      .map(({ message, error }) => `${message}: ${error?.message ?? error}`)
      .filter((text) => !this.expectedErrors.some((expected) => expected.test(text)));
    assert.deepEqual(unexpected, [], 'errors that the SDK logged');
  }

  /** Ends the database workers of a test that has failed. */
  async abandon() {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  /** The file is sound, and no connection to it was left open: else it could not leave WAL mode. */
  #checkFile() {
    const database = new Database(this.file);
    try {
      assert.equal(database.pragma('journal_mode = DELETE', { simple: true }), 'delete');
      assert.equal(database.pragma('integrity_check', { simple: true }), 'ok');
      database.pragma('journal_mode = WAL');
    } finally {
      database.close();
    }
  }

  #checkInstructions() {
    for (const instruction of this.instructions) {
      const names = Object.keys(instruction);
      assert.equal(names.length, 1, JSON.stringify(instruction));
      assert.ok(INSTRUCTIONS.includes(names[0]), JSON.stringify(instruction));
    }
  }
}
