// A todo app that works offline, without an SDK: Node.js 20 or newer, and better-sqlite3 for SQLite.
//
// usage: node todo.js list | add LIST TEXT | done TODO | sync | watch
//
// `list`, `add` and `done` use the database alone. `sync` and `watch` are the loop of docs/write-an-sdk.md. To keep it short,
// only one of them may run at a time for a file, and errors of the database end the program.

import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';

const LIBRARY = process.env.POWERSYNC_LIBRARY ?? 'target/release/libpowersync';
const SERVICE = process.env.TODO_URL ?? 'http://127.0.0.1:8080';
const USER = process.env.TODO_USER ?? 'alice';
const FILE = process.env.TODO_FILE ?? 'todo.db';
// Always the same text: so the extension sees at once that nothing has changed.
const SCHEMA = `{"tables": [
  {"name": "lists", "columns": [{"name": "name", "type": "text"}]},
  {"name": "todos", "columns": [{"name": "list_id", "type": "text"}, {"name": "description", "type": "text"},
    {"name": "done", "type": "integer"}, {"name": "created_at", "type": "text"}]}]}`;
const ADD = `INSERT INTO todos (id, list_id, description, done, created_at)
  VALUES (uuid(), ?, ?, 0, strftime('%Y-%m-%d %H:%M:%f', 'now'))`;
const SHOW = `SELECT line FROM (
  SELECT 1 AS part, name, id AS list, '' AS at, name || ' (' || id || ')' AS line FROM lists UNION ALL
  SELECT 1, name, list_id, created_at, '  [' || iif(done, 'x', ' ') || '] ' || description || ' (' || todos.id || ')'
    FROM todos JOIN lists ON lists.id = list_id UNION ALL
  SELECT 2, '', '', '', 'waiting to be uploaded: ' || n FROM (SELECT count(*) AS n FROM ps_crud) WHERE n > 0)
  ORDER BY part, name, list, at`;
const UNKNOWN = 9223372036854775807n; // the write checkpoint to wait for, as long as the service has not named one

// better-sqlite3 works synchronously, so calls of the extension cannot overlap.
const db = new Database(FILE, { timeout: 30_000 });
db.defaultSafeIntegers(); // ids have 64 bits
db.loadExtension(LIBRARY, 'sqlite3_powersync_init');
db.pragma('journal_mode = WAL');
db.pragma('synchronous = NORMAL');
transaction('SELECT powersync_replace_schema(?)', SCHEMA);

function value(sql, ...values) {
  return db.prepare(sql).pluck().get(...values);
}

/** Runs a query in its own transaction. */
function transaction(sql, ...values) {
  return db.transaction(() => value(sql, ...values)).immediate();
}

const show = () => db.prepare(SHOW).pluck().all().join('\n');

class Client {
  token = null;
  isOpen = false;
  isUploading = false;
  hasSynced = false;
  delay = 500;
  shown = '';

  constructor(isWatching) {
    this.isWatching = isWatching;
  }

  /** Connects again and again; if nobody is watching, until everything has synced or there is no connection. */
  async run() {
    // Uploads what this and other processes write.
    const timer = setInterval(() => {
      this.show();
      if (this.isOpen && value('SELECT count(*) FROM ps_crud') > 0) this.inBackground(this.upload());
    }, 1000);
    while (this.isWatching || !this.hasSynced) {
      await this.connect();
      if (this.hideDisconnect) continue;
      if (!this.isWatching) break;
      // A part is random, so that not all clients of a service that was away return at the same moment.
      await sleep(this.delay * (0.75 + Math.random() / 4));
      this.delay = Math.min(2 * this.delay, 30_000);
    }
    clearInterval(timer);
  }

  /** One iteration, until the extension closes it or the network fails. */
  async connect() {
    this.abort = new AbortController();
    // There is a keep-alive every 20 seconds. After 60 seconds of silence the connection is dead.
    this.silence = setTimeout(() => this.abort.abort(new Error('no keep-alive')), 60_000);
    try {
      this.control('start', '{}');
      await this.upload();
      const response = await this.request('/sync/stream', this.streamRequest, this.abort.signal);
      this.control('connection', 'established');
      for await (const line of this.lines(response.body)) this.control('line_text', line);
    } catch (error) {
      if (this.isOpen) report('offline', error);
    }
    clearTimeout(this.silence);
    this.control('connection', 'end');
  }

  /** The lines of a stream. What is read is used before more is read, so a slow database slows down the network. */
  async *lines(body) {
    const decoder = new TextDecoder();
    let start = '';
    for await (const chunk of body) {
      this.silence.refresh();
      const lines = decoder.decode(chunk, { stream: true }).split('\n');
      lines[0] = start + lines[0];
      start = lines.pop();
      yield* lines;
    }
  }

  /** Tells the extension of an event, and carries out its instructions: after the COMMIT, in their order. */
  control(command, payload = null) {
    if (!this.isOpen && command !== 'start') return; // an upload or a new token came after the iteration had ended
    const instructions = JSON.parse(transaction('SELECT powersync_control(?, ?)', command, payload));
    for (const instruction of instructions) this.execute(instruction);
    if (this.hasSynced && !this.isWatching) this.control('stop');
  }

  execute({ LogLine, EstablishSyncStream, FetchCredentials, CheckpointDelayedDueToLocalData, DidCompleteSync, CloseSyncStream }) {
    if (LogLine?.severity === 'WARNING') console.error(LogLine.line);
    if (EstablishSyncStream) {
      this.streamRequest = EstablishSyncStream.request;
      this.isOpen = true;
    }
    if (FetchCredentials) {
      this.token = null;
      // If it is valid for some more seconds, the stream stays open meanwhile.
      if (!FetchCredentials.did_expire) this.inBackground(this.getToken().then(() => this.control('refreshed_token')));
    }
    if (CheckpointDelayedDueToLocalData) this.inBackground(this.upload());
    if (DidCompleteSync) {
      // This does not come as long as local writes are not acknowledged. So they are synced, too.
      this.hasSynced = true;
      this.delay = 500;
      this.show();
    }
    if (CloseSyncStream) {
      this.isOpen = false;
      this.hideDisconnect = CloseSyncStream.hide_disconnect;
      this.abort.abort();
    }
  }

  /** Sends the queue, oldest transaction first, and then asks which write checkpoint acknowledges it. */
  async upload() {
    if (this.isUploading) return;
    this.isUploading = true;
    try {
      for (;;) {
        const { transactions } = JSON.parse(value('SELECT powersync_crud_next(50, 1000000)'));
        if (transactions.length === 0) break;
        const response = await this.request('/api/data', { transactions });
        this.applyResults(transactions, (await response.json()).results);
      }
      if (transaction("SELECT powersync_control('target_checkpoint_request_id', NULL)") === UNKNOWN) {
        const lastEntry = value("SELECT seq FROM sqlite_sequence WHERE name = 'ps_crud'");
        const response = await this.request(`/write-checkpoint2.json?client_id=${value('SELECT powersync_client_id()')}`);
        const { data } = await response.json();
        // This stores nothing if there are new entries, since the checkpoint may not cover them.
        transaction('SELECT powersync_crud_complete(?, ?)', lastEntry, data.write_checkpoint);
      }
    } finally {
      this.isUploading = false;
    }
    this.control('completed_upload');
  }

  applyResults(transactions, results) {
    const ids = { transaction_ids: transactions.map((transaction) => transaction.transaction_id) };
    const sql = 'SELECT powersync_crud_results(?, ?)';
    const { completed, rejected } = JSON.parse(transaction(sql, JSON.stringify(results), JSON.stringify(ids)));
    for (const id of rejected) {
      // The next checkpoint undoes what the service refuses for good. An app can also let its user correct it.
      const why = "SELECT op || ' ' || type || ': ' || message FROM powersync_rejected WHERE transaction_id = ?";
      console.log('refused:', value(why, id));
      transaction('SELECT powersync_crud_discard(?)', id);
    }
    if (completed === 0 && rejected.length === 0) throw new Error('the service cannot take the changes now');
  }

  async request(path, body, signal = AbortSignal.timeout(10_000)) {
    const headers = { authorization: `Token ${await this.getToken()}`, 'content-type': 'application/json' };
    const options = body ? { method: 'POST', body: JSON.stringify(body) } : {};
    const response = await fetch(SERVICE + path, { ...options, headers, signal });
    if (response.status === 401) this.token = null; // the next request gets a new one
    if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
    return response;
  }

  async getToken() {
    if (this.token === null) {
      const url = `${SERVICE}/dev/token?user=${encodeURIComponent(USER)}`;
      const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
      if (!response.ok) throw new Error(`no token: ${response.status} ${response.statusText}`);
      this.token = await response.text();
    }
    return this.token;
  }

  /** Failures are tried again: uploads every second, a token when it has expired. */
  inBackground(promise) {
    promise.catch((error) => report('not yet', error));
  }

  show() {
    const lines = show();
    if (!this.isWatching || lines === this.shown) return;
    this.shown = lines;
    console.log(`${lines}\n`);
  }
}

/** Errors of the network are reported. Others end the program. */
function report(what, error) {
  if (error instanceof Database.SqliteError) throw error;
  console.error(`${what}: ${error.cause?.message ?? error.message}`);
}

const [command, ...rest] = process.argv.slice(2);
if (command === 'add' && rest.length === 2) db.prepare(ADD).run(...rest);
else if (command === 'done' && rest.length === 1) db.prepare('UPDATE todos SET done = 1 WHERE id = ?').run(...rest);
else if (command === 'sync' || command === 'watch') {
  const client = new Client(command === 'watch');
  await client.run();
  if (!client.hasSynced) process.exitCode = 1;
} else if (command !== 'list') {
  console.error('usage: node todo.js list | add LIST TEXT | done TODO | sync | watch');
  process.exit(2);
}
console.log(show());
