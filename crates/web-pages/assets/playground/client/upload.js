// The upload loop: it sends local writes to the service, and then asks by which checkpoint they are acknowledged.
import { Backoff } from './backoff.js';

/** What one request takes at most. */
const TRANSACTIONS = 50;
const BYTES = 1_000_000;

/** The target of the gate while no checkpoint is known that acknowledges the local writes. */
const UNKNOWN = '9223372036854775807';

export class Upload {
  #database;
  #service;
  #queueId;
  #listener;
  #isWanted = false;
  #isRunning = false;
  #isWoken = false;
  #backoff = new Backoff();

  /** What went wrong, if the last attempt has failed. */
  error = null;
  /** A transaction that the app has to decide about: `{transaction_id, message, code}`. */
  blockedBy = null;
  isSending = false;

  /**
   * @param {import('./database.js').Database} database
   * @param {import('./service.js').Service} service
   * @param {string} queueId names this queue, so that the service applies each transaction once, however often it is sent
   * @param {{changed: () => void, completed: () => void, log: (kind: string, text: string) => void}} listener
   */
  constructor(database, service, queueId, listener) {
    this.#database = database;
    this.#service = service;
    this.#queueId = queueId;
    this.#listener = listener;
  }

  get nextAttemptAt() {
    return this.#backoff.nextAt;
  }

  /** Uploads whatever there is now, and what comes later, when it is woken. */
  start() {
    this.#isWanted = true;
    this.wake();
  }

  stop() {
    this.#isWanted = false;
    this.error = null;
    this.#backoff.wake();
  }

  /** There may be something to upload. */
  wake() {
    this.#isWoken = true;
    if (this.#isWanted && !this.#isRunning) this.#run();
  }

  /** Tries again now rather than later. */
  retry() {
    this.#backoff.reset();
    this.#backoff.wake();
    this.wake();
  }

  async #run() {
    this.#isRunning = true;
    while (this.#isWanted && this.#isWoken) {
      this.#isWoken = false;
      try {
        await this.#sendAll();
        await this.#acknowledge();
        this.#report(null);
        this.#backoff.reset();
      } catch (error) {
        if (!this.#isWanted) break;
        this.#report(error.message);
        this.#isWoken = true;
        await this.#backoff.wait(this.#listener.changed, error.retryAfter);
      }
    }
    this.#isRunning = false;
  }

  /** Sends the queue, oldest transaction first. */
  async #sendAll() {
    for (;;) {
      const next = await this.#database.value('SELECT powersync_crud_next(?, ?)', [TRANSACTIONS, BYTES]);
      const { transactions } = JSON.parse(next);
      if (transactions.length === 0 || !this.#isWanted) return;
      const clientId = await this.#database.value('SELECT powersync_client_id()');
      this.#setSending(true);
      try {
        const results = await this.#service.upload({ client_id: clientId, queue: this.#queueId, transactions });
        if (!(await this.#applyResults(transactions, results))) return;
      } finally {
        this.#setSending(false);
      }
    }
  }

  /** Takes from the queue what is done with; gives whether to go on. */
  async #applyResults(transactions, results) {
    this.#listener.log('received', JSON.stringify({ results }));
    const ids = transactions.map((transaction) => transaction.transaction_id);
    const done = JSON.parse(
      await this.#database.change('SELECT powersync_crud_results(?, ?)', [
        JSON.stringify(results),
        JSON.stringify({ transaction_ids: ids })
      ])
    );
    this.#listener.changed();
    this.blockedBy = done.blocked_by && describe(done.blocked_by);
    if (this.blockedBy) return false;
    const hasMoved = done.completed > 0 || done.rejected.length > 0;
    if (hasMoved && done.retry_after_ms === null) return true;
    const message = results.find((result) => result.status === 'retryable_error')?.message;
    throw Object.assign(new Error(message ?? 'The service cannot take the changes now.'), { retryAfter: done.retry_after_ms ?? 0 });
  }

  /** As long as nothing is known that acknowledges the writes, no download can be published. */
  async #acknowledge() {
    if (this.blockedBy) return;
    const last = await this.#database.transaction(lastUnacknowledged);
    if (last !== null) {
      const clientId = await this.#database.value('SELECT powersync_client_id()');
      const checkpoint = await this.#service.writeCheckpoint(clientId);
      // This stores nothing if there are new entries, since the checkpoint may not cover them.
      await this.#database.change('SELECT powersync_crud_complete(?, ?)', [last, checkpoint]);
    }
    this.#listener.completed();
  }

  #setSending(isSending) {
    this.isSending = isSending;
    this.#listener.changed();
  }

  #report(message) {
    this.error = message;
    if (message) this.#listener.log('message', `Uploading: ${message}`);
    this.#listener.changed();
  }
}

/** The last entry of the queue, if all were sent and nothing acknowledges them yet; else null. Writes since then wake us again. */
async function lastUnacknowledged(run) {
  const [{ count, target, last }] = await run(`SELECT (SELECT count(*) FROM ps_crud) AS count,
    CAST(powersync_control('target_checkpoint_request_id', NULL) AS TEXT) AS target,
    (SELECT CAST(seq AS TEXT) FROM sqlite_sequence WHERE name = 'ps_crud') AS last`);
  return count === 0 && target === UNKNOWN ? last : null;
}

function describe({ transaction_id: id, failed_operation: operation }) {
  return { id, code: operation?.error_code ?? 'UNCLASSIFIED_ERROR', message: operation?.message ?? 'The service has refused it.' };
}
