// A device, as a page sees it: its state, what can be asked of it, and the worker that this tab has for it.

/** A worker that ends so often within this many ms of its start is not started again. */
const ATTEMPTS = 3;
const SHORT = 5_000;

/** How many entries of the log a page keeps. */
const ENTRIES = 200;

/**
 * Events: `state` and `log` when they have changed, `changed` with the names of `tables` in the database that have, `crashed`
 * when the worker has ended by itself.
 */
export class RemoteDevice extends EventTarget {
  #id = crypto.randomUUID();
  #channel;
  #number = 0;
  #waiting = new Map();
  #quickEnds = 0;
  #isEndExpected = false;

  /** What the leading worker has told last; null before it has. */
  state = null;
  /** @type {import('../client/log.js').Entry[]} */
  log = [];
  /** Whether the worker does not start, or ends again and again. */
  isBroken = false;
  whyBroken = '';

  /** @param {string} name */
  constructor(name) {
    super();
    this.name = name;
    this.#channel = new BroadcastChannel(`rowtide ${name}`);
    this.#channel.onmessage = ({ data }) => this.#receive(data);
    this.#startWorker();
    this.#hello();
  }

  /** Starts a worker that has ended too often. */
  startAgain() {
    this.#quickEnds = 0;
    this.isBroken = false;
    this.#startWorker();
    this.#emit('state');
  }

  /**
   * Asks the leading worker for something. If that ends before it answers, its successor is asked. So requests are such that
   * doing them twice does no harm.
   *
   * @param {string} command
   * @param {object} parameters
   * @returns {Promise<any>}
   */
  request(command, parameters = {}) {
    this.#number += 1;
    const message = { to: 'leader', from: this.#id, number: this.#number, command, parameters };
    return new Promise((resolve, reject) => {
      this.#waiting.set(this.#number, { message, resolve, reject });
      this.#channel.postMessage(message);
    });
  }

  /** The rows of a query. */
  query(sql, values = []) {
    return this.request('query', { sql, values });
  }

  /** Writes to the device's tables: statements with their values, in one transaction. */
  write(...statements) {
    return this.request('write', { statements });
  }

  /** Removes everything from the device. If its database does not even open, the file is deleted. */
  reset(parameters = {}) {
    this.#isEndExpected = Boolean(this.state?.failure);
    return this.request('reset', parameters);
  }

  /** Asks for the state and the log. */
  async #hello() {
    this.log = await this.request('hello');
    this.#emit('log');
  }

  #startWorker() {
    const started = Date.now();
    const worker = new Worker(`/assets/playground/client/worker.js?device=${this.name}`, { type: 'module', name: this.name });
    let isLoaded = false;
    worker.onmessage = ({ data }) => {
      isLoaded = true;
      // The worker has this lock. The browser gives it to us when the worker has ended, however that happened.
      navigator.locks.request(data.alive, () => this.#ended(worker, started));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      if (!isLoaded) this.#break('The device cannot be loaded. Does the service run?');
    };
  }

  #ended(worker, started) {
    worker.terminate();
    this.#quickEnds = Date.now() - started < SHORT ? this.#quickEnds + 1 : 1;
    const isExpected = this.#isEndExpected;
    this.#isEndExpected = false;
    // Unless a worker of another tab leads, which tells it again, nothing is known until a new one has begun.
    this.state = null;
    if (isExpected || this.#quickEnds < ATTEMPTS) {
      this.#startWorker();
      if (!isExpected) this.#emit('crashed');
      this.#emit('state');
    } else this.#break('The device has stopped several times.');
    this.#hello();
  }

  #break(why) {
    this.isBroken = true;
    this.whyBroken = why;
    this.#emit('state');
  }

  #receive({ to, type, ...rest }) {
    if (to === this.#id) this.#settle(rest);
    else if (type === 'leader') this.#follow();
    else if (type === 'changed') this.#emit('changed', rest.tables);
    else if (type === 'state') {
      this.state = rest.state;
      this.#emit('state');
    } else if (type === 'log') {
      // What `hello` has given may come again.
      const last = this.log.at(-1)?.number ?? 0;
      this.log = [...this.log, ...rest.entries.filter(({ number }) => number > last)].slice(-ENTRIES);
      this.#emit('log');
    }
  }

  /** A worker begins to lead. It has not heard what nobody has answered yet. */
  #follow() {
    for (const { message } of this.#waiting.values()) this.#channel.postMessage(message);
    this.#hello();
  }

  #settle({ number, result, error }) {
    const request = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (!request) return;
    if (error === undefined) request.resolve(result);
    else request.reject(new Error(error));
  }

  #emit(type, tables) {
    this.dispatchEvent(Object.assign(new Event(type), { tables }));
  }
}
