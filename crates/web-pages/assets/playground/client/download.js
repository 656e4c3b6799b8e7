// The sync loop: it opens the stream, gives each line to the extension, and does what the extension says.
import { Backoff } from './backoff.js';
import { StorageFull } from './database.js';
import { lines, Queue } from './lines.js';

/** The service sends something every 20 seconds. After this many ms without a byte the connection is dead. */
const SILENCE = 60_000;

/**
 * @typedef {object} Listener
 * @property {() => void} changed the status, or what is wrong, has changed
 * @property {() => void} connected the service has answered: uploads may work again
 * @property {() => void} announced a whole checkpoint is announced, rather than what has changed
 * @property {() => void} delayed a checkpoint waits for the upload queue
 * @property {() => void} published a checkpoint was published
 * @property {() => Promise<void>} prepare called before each attempt
 * @property {(kind: string, text: string) => void} log
 */

export class Download {
  #database;
  #service;
  #listener;
  #isWanted = false;
  #running = Promise.resolve();
  #events = new Queue();
  #abort = new AbortController();
  #isOpen = false;
  #hideDisconnect = false;
  #backoff = new Backoff();

  /** What the extension said last, and what went wrong since the service answered. */
  status = null;
  error = null;
  isFull = false;

  /**
   * @param {import('./database.js').Database} database
   * @param {import('./service.js').Service} service
   * @param {Listener} listener
   */
  constructor(database, service, listener) {
    this.#database = database;
    this.#service = service;
    this.#listener = listener;
  }

  get nextAttemptAt() {
    return this.#backoff.nextAt;
  }

  /** Connects, and again whenever the connection ends. */
  connect() {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.#running = this.#running.then(() => this.#run());
  }

  /** Ends the stream; is done when nothing of it is left. */
  async disconnect() {
    this.#isWanted = false;
    this.#backoff.wake();
    this.#end('stop');
    await this.#running;
  }

  /** Tries to connect now rather than later. */
  retry() {
    this.#backoff.wake();
  }

  /** Something has happened outside of the stream: an upload is done, a token was refreshed. */
  notify(command) {
    if (this.#isOpen) this.#events.push({ command });
  }

  async #run() {
    this.#backoff.reset();
    while (this.#isWanted) {
      await this.#attempt();
      if (this.#isWanted && !this.#hideDisconnect) await this.#backoff.wait(() => this.#listener.changed());
    }
    this.error = null;
    this.#listener.changed();
  }

  /** One iteration, from `start` until the extension closes it. */
  async #attempt() {
    this.#events = new Queue();
    this.#abort = new AbortController();
    this.#hideDisconnect = false;
    try {
      await this.#listener.prepare();
      await this.#control('start', '{}');
      while (this.#isOpen) {
        const { command, payload } = await this.#events.take();
        if (command === 'connection' && payload === 'established') this.#listener.connected();
        await this.#control(command, payload);
      }
    } catch (error) {
      this.#fail(error);
      // The next start ends what this cannot.
      await this.#control('stop').catch(() => {});
    } finally {
      this.#isOpen = false;
      this.#abort.abort();
      this.#events.close();
    }
  }

  /** Tells the extension of an event, and then carries out its instructions. */
  async #control(command, payload = null) {
    const result = await this.#database.change('SELECT powersync_control(?, ?)', [command, payload]);
    if (this.isFull) {
      this.isFull = false;
      this.error = null;
    }
    for (const instruction of JSON.parse(result)) this.#execute(instruction);
    this.#listener.changed();
  }

  #execute(instruction) {
    const [[name, value]] = Object.entries(instruction);
    if (name !== 'LogLine') this.#listener.log('instruction', JSON.stringify(instruction));
    switch (name) {
      case 'LogLine':
        return this.#listener.log('message', value.line);
      case 'UpdateSyncStatus':
        this.status = value.status;
        return;
      case 'EstablishSyncStream':
        this.#isOpen = true;
        this.#stream(value.request, this.#events, this.#abort.signal);
        return;
      case 'FetchCredentials':
        return this.#refreshToken(value.did_expire);
      case 'CheckpointDelayedDueToLocalData':
        return this.#listener.delayed();
      case 'DidCompleteSync':
        this.#backoff.reset();
        return this.#listener.published();
      case 'CloseSyncStream':
        this.#isOpen = false;
        this.#hideDisconnect = value.hide_disconnect;
        return;
      default: // newer versions may have more
    }
  }

  /** Reads the stream of one iteration, in the background. */
  async #stream(request, events, abort) {
    const silence = new AbortController();
    let timer;
    const listen = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(new Error('The service is silent.')), SILENCE);
    };
    try {
      listen();
      const answer = await this.#service.openStream(request, AbortSignal.any([abort, silence.signal]));
      this.error = null;
      events.push({ command: 'connection', payload: 'established' });
      for await (const line of lines(answer.body, listen)) {
        if (line.startsWith('{"checkpoint":')) this.#listener.announced();
        this.#listener.log('received', line);
        await events.put({ command: 'line_text', payload: line });
        if (abort.aborted) break;
      }
      if (!abort.aborted) this.#listener.log('message', 'The service has ended the stream.');
    } catch (error) {
      if (!abort.aborted) this.#fail(silence.signal.aborted ? silence.signal.reason : described(error));
    } finally {
      clearTimeout(timer);
      events.push({ command: 'connection', payload: 'end' });
    }
  }

  #refreshToken(didExpire) {
    this.#service.forgetToken();
    // If it is valid for some more seconds, the stream stays open meanwhile.
    if (!didExpire) this.#service.token().then(() => this.notify('refreshed_token'), (error) => this.#fail(error));
  }

  #end(command) {
    if (this.#isOpen) this.#events.push({ command });
    this.#abort.abort();
  }

  #fail(error) {
    this.isFull = error instanceof StorageFull;
    this.error = error.message;
    this.#listener.log('message', error.message);
    this.#listener.changed();
  }
}

/** Browsers do not say more of a body that ends too early. */
function described(error) {
  return error instanceof TypeError ? new Error('The connection was cut.', { cause: error }) : error;
}
