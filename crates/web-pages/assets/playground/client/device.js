// One device: its database, its connection to the service, and what it tells the pages that show it.
import { Database } from './database.js';
import { Download } from './download.js';
import { Log } from './log.js';
import { Service } from './service.js';
import { stored, synced } from './state.js';
import { Upload } from './upload.js';

/** Pages are told at most this often, in ms. */
const INTERVAL = 30;

export class Device {
  #database;
  #post;
  #service;
  #download;
  #upload;
  #log = new Log();
  #user = 'alice';
  #isOnline = true;
  #schema = null;
  #isHolding = false;
  #checkpoints = 0;
  #told = 0;
  #isTelling = false;
  #isTellingAgain = false;
  #turn = Promise.resolve();

  /** The latest state that was told. */
  state = null;

  /**
   * @param {Database} database
   * @param {(message: object) => void} post tells all pages
   */
  constructor(database, post) {
    this.#database = database;
    this.#post = post;
  }

  /** Goes on where the device was when it was used last. */
  async start() {
    this.#user = (await this.#database.setting('user')) ?? this.#user;
    this.#isOnline = (await this.#database.setting('online')) !== 'no';
    this.#log.add('message', `Opened the database. Extension ${await this.#database.value('SELECT powersync_rs_version()')}.`);
    const schema = await this.#database.setting('schema');
    if (schema) await this.#applySchema(schema);
    await this.#prepareClient();
    if (this.#isOnline) this.#goOnline();
    await this.#tell();
  }

  /** What pages can ask for. */
  commands = {
    hello: async () => {
      if (this.state) this.#post({ type: 'state', state: this.state });
      return this.#log.latest;
    },

    query: ({ sql, values }) => this.#database.query(sql, values),

    /** Runs statements in one transaction, as an app writes: to its tables, connected or not. */
    write: async ({ statements }) => {
      await this.#database.transaction(async (run) => {
        for (const [sql, values] of statements) await run(sql, values);
      });
      this.#upload.wake();
      await this.#tell();
    },

    online: ({ isOnline }) =>
      this.#inTurn(async () => {
        await this.#setOnline(isOnline);
        if (isOnline) this.#goOnline();
        else await this.#goOffline();
        await this.#tell();
      }),

    retry: async () => {
      this.#download.retry();
      this.#upload.retry();
    },

    /** Another user: what the device has of the one before is removed, also what was not uploaded. */
    user: ({ user }) =>
      this.#inTurn(async () => {
        this.#user = user;
        await this.#clear();
        await this.#database.keepSetting('user', user);
      }),

    reset: ({ isOnline }) =>
      this.#inTurn(async () => {
        await this.#setOnline(isOnline ?? this.#isOnline);
        await this.#clear();
      }),

    /** Puts a refused write back into the queue. */
    again: async ({ id }) => {
      await this.#database.change('SELECT powersync_crud_retry(?)', [id]);
      this.#upload.wake();
      await this.#tell();
    },

    discard: async ({ id }) => {
      await this.#database.change('SELECT powersync_crud_discard(?)', [id]);
      await this.#tell();
    },

    /** Takes a write out of the queue that the service leaves to the app. */
    reject: async ({ id, code, message }) => {
      await this.#database.change('SELECT powersync_crud_reject(?, ?, ?)', [id, code, message]);
      this.#upload.blockedBy = null;
      this.#upload.wake();
      await this.#tell();
    }
  };

  /** What connects and disconnects is done one after the other. */
  #inTurn(action) {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => {});
    return result;
  }

  async #setOnline(isOnline) {
    this.#isOnline = isOnline;
    // It can be switched all the same if storage is full.
    await this.#database.keepSetting('online', isOnline ? 'yes' : 'no').catch(() => {});
  }

  async #clear() {
    await this.#goOffline();
    await this.#database.change('SELECT powersync_clear(1)');
    // The service must not take new transactions for earlier ones.
    await this.#database.keepSetting('queue', crypto.randomUUID());
    this.#isHolding = false;
    await this.#prepareClient();
    if (this.#isOnline) this.#goOnline();
    await this.#tell();
  }

  /** Makes what speaks with the service for the user. */
  async #prepareClient() {
    let queue = await this.#database.setting('queue');
    if (!queue) {
      queue = crypto.randomUUID();
      await this.#database.keepSetting('queue', queue);
    }
    const log = (kind, text) => this.#log.add(kind, text);
    const changed = () => this.#changed();
    this.#service = new Service(this.#user, log);
    this.#upload = new Upload(this.#database, this.#service, queue, {
      log,
      changed,
      completed: () => this.#download.notify('completed_upload')
    });
    this.#download = new Download(this.#database, this.#service, {
      log,
      changed,
      prepare: () => this.#prepareTables(),
      connected: () => this.#upload.retry(),
      announced: () => this.#announced(),
      delayed: () => this.#delayed(),
      published: () => (this.#isHolding = false)
    });
    this.#download.status = JSON.parse(await this.#database.value('SELECT powersync_offline_sync_status()'));
  }

  #goOnline() {
    this.#download.connect();
    this.#upload.start();
  }

  async #goOffline() {
    this.#upload.stop();
    this.#service.abort();
    await this.#download.disconnect();
  }

  /** The tables are those of the service's configuration, which can change while the device is away. */
  async #prepareTables() {
    this.#checkpoints = 0;
    let schema;
    try {
      schema = await this.#service.schema();
    } catch (error) {
      if (this.#schema === null) throw error;
      return; // the stream fails for the same reason
    }
    await this.#applySchema(schema);
  }

  async #applySchema(schema) {
    if (schema === this.#schema) return;
    await this.#database.change('SELECT powersync_replace_schema(?)', [schema]);
    await this.#database.keepSetting('schema', schema);
    this.#schema = schema;
    this.#changed();
  }

  /** A checkpoint that is no change of the one before: the configuration may be another one. */
  #announced() {
    this.#checkpoints += 1;
    if (this.#checkpoints === 1) return;
    const failed = (error) => this.#log.add('message', `The tables may have changed: ${error.message}`);
    this.#service.schema().then((schema) => this.#applySchema(schema)).catch(failed);
  }

  #delayed() {
    this.#isHolding = true;
    this.#upload.wake();
  }

  /** Tells pages soon. */
  #changed() {
    if (this.#isTelling) {
      this.#isTellingAgain = true;
      return;
    }
    this.#isTelling = true;
    const delay = Math.max(0, this.#told + INTERVAL - Date.now());
    setTimeout(() => this.#tell().finally(() => this.#finishTelling()), delay);
  }

  #finishTelling() {
    this.#told = Date.now();
    this.#isTelling = false;
    if (this.#isTellingAgain) {
      this.#isTellingAgain = false;
      this.#changed();
    }
  }

  async #tell() {
    const tables = await this.#database.changedTables();
    const { status, error, isFull, nextAttemptAt } = this.#download;
    const upload = this.#upload;
    this.state = {
      user: this.#user,
      isOnline: this.#isOnline,
      isKept: this.#database.isKept,
      whyNotKept: this.#database.whyNotKept,
      schema: this.#schema,
      connection: { error, isFull, nextAttemptAt },
      ...synced(status),
      ...(await stored(this.#database, this.#isHolding)),
      upload: {
        isSending: upload.isSending,
        error: upload.error,
        nextAttemptAt: upload.nextAttemptAt,
        blockedBy: upload.blockedBy
      }
    };
    this.#post({ type: 'state', state: this.state });
    const entries = this.#log.takeNew();
    if (entries.length > 0) this.#post({ type: 'log', entries });
    if (tables.length > 0) this.#post({ type: 'changed', tables });
  }
}
