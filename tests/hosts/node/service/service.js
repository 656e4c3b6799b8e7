// A small sync service: an HTTP server on 127.0.0.1 that speaks the sync protocol with any number of clients. It knows
// buckets, streams, write checkpoints, checkpoint requests and tokens, and lets a test stop, change or break what it sends.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Bucket } from './bucket.js';
import { BSON, NDJSON, negotiate } from './format.js';
import { SyncStream } from './stream.js';
import { withResolvers } from '../app/promises.js';

export class SyncService {
  #server = createServer((request, response) => this.#handle(request, response));
  #buckets = new Map();
  #interceptors = [];
  #heldRoutes = new Map();
  #accepted = [];
  #waiting = [];
  #writeCheckpoints = new Map();
  #changed = withResolvers();
  #committing = 0;

  /** The id of the newest operation. */
  lastOpId = 0;
  /** How long a request takes, and what a stream sends for one checkpoint, in milliseconds. */
  latency = 0;
  /** How many operations a data line holds at most. */
  operationsPerLine = 1000;
  /** The formats that this service can send. */
  formats = [BSON, NDJSON];
  /** Says whether a token is valid. */
  accepts = () => true;
  /** Requests that were answered, as `METHOD path`, without those for streams. */
  requests = [];
  /** Ids of checkpoint requests, as they came. */
  requestedCheckpoints = [];

  /** @param {Record<string, import('./configuration.js').StreamDefinition>} streams */
  constructor(streams) {
    this.streams = streams;
  }

  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
  }

  async close() {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** The bucket of this name. */
  bucket(name) {
    if (!this.#buckets.has(name)) this.#buckets.set(name, new Bucket(name));
    return this.#buckets.get(name);
  }

  nextOpId() {
    this.lastOpId += 1;
    return this.lastOpId;
  }

  /** Changes buckets; clients hear of it when the outermost call is done. */
  commit(write) {
    this.#committing += 1;
    try {
      write();
    } finally {
      this.#committing -= 1;
      if (this.#committing === 0) this.#notify();
    }
  }

  /** Settled at the next change. */
  get changed() {
    return this.#changed.promise;
  }

  #notify() {
    const { resolve } = this.#changed;
    this.#changed = withResolvers();
    resolve();
  }

  /** Remembers a write checkpoint of a client, as if it had been asked for long ago. */
  setWriteCheckpoint(clientId, id) {
    this.#writeCheckpoints.set(clientId, id);
  }

  /** The newest write checkpoint of a client, as text. */
  writeCheckpoint(clientId) {
    const id = this.#writeCheckpoints.get(clientId);
    return id === undefined ? undefined : String(id);
  }

  /** The n-th stream that was opened, counted from 1; waits for it if need be. */
  stream(number) {
    const stream = this.#accepted[number - 1];
    if (stream !== undefined) return Promise.resolve(stream);
    return new Promise((resolve) => this.#waiting.push({ number, resolve }));
  }

  /** How many streams were opened so far. */
  get streamCount() {
    return this.#accepted.length;
  }

  /** Passes a line through the interceptors; gives the line to send, or nothing. */
  async intercept(line, stream) {
    const interceptor = this.#interceptors.find(({ matches }) => matches(line, stream));
    if (interceptor === undefined) return line;
    this.#interceptors.splice(this.#interceptors.indexOf(interceptor), 1);
    return interceptor.change(line, stream);
  }

  /** Changes the next line that matches; `change` may give another line, or nothing to swallow it. */
  change(matches, change) {
    this.#interceptors.push({ matches, change });
  }

  /** Stops before the next line that matches. `reached` is done when it is its turn; `release` lets it go. */
  hold(matches) {
    const reached = withResolvers();
    const released = withResolvers();
    this.change(matches, async (line, stream) => {
      reached.resolve(stream);
      await released.promise;
      return line;
    });
    return { reached: reached.promise, release: released.resolve };
  }

  /**
   * Lets requests of a route wait for their answer until `release`, such as `GET /write-checkpoint2.json`. `reached` is
   * done when the first has come.
   */
  holdRequests(route) {
    const reached = withResolvers();
    const released = withResolvers();
    this.#heldRoutes.set(route, async () => {
      reached.resolve();
      await released.promise;
    });
    const release = () => {
      this.#heldRoutes.delete(route);
      released.resolve();
    };
    return { reached: reached.promise, release };
  }

  async #handle(request, response) {
    try {
      const url = new URL(request.url, this.url);
      const token = request.headers.authorization?.replace(/^Token /, '');
      const route = `${request.method} ${url.pathname}`;
      await this.#heldRoutes.get(route)?.();
      if (token === undefined || !this.accepts(token)) {
        return json(response, 401, { error: { status: 401, code: 'PSYNC_S2101', description: 'Invalid token' } });
      }
      switch (route) {
        case 'POST /sync/stream':
          return await this.#openStream(request, response, token);
        case 'GET /write-checkpoint2.json':
          this.requests.push(route);
          return json(response, 200, { data: { write_checkpoint: this.#createWriteCheckpoint(url.searchParams) } });
        case 'POST /sync/checkpoint-request':
          this.requests.push(route);
          return json(response, 200, { data: { checkpoint_request_id: this.#requestCheckpoint(await body(request)) } });
        default:
          return json(response, 404, { error: { status: 404, code: 'PSYNC_S2002', description: `No ${route}` } });
      }
    } catch (error) {
      if (!response.headersSent) json(response, 500, { error: { status: 500, description: String(error) } });
      else response.destroy(error);
    }
  }

  async #openStream(request, response, token) {
    const format = negotiate(request.headers.accept ?? '*/*', this.formats);
    if (format === undefined) return json(response, 406, { error: { status: 406, description: 'No such format' } });
    const stream = new SyncStream(this, await body(request), response, format, token);
    await delay(this.latency);
    response.writeHead(200, { 'Content-Type': format.type });
    response.flushHeaders();
    this.#accepted.push(stream);
    for (const waiting of this.#waiting.filter(({ number }) => number === this.#accepted.length)) {
      waiting.resolve(stream);
    }
    await stream.run();
  }

  #createWriteCheckpoint(parameters) {
    const clientId = parameters.get('client_id');
    const id = (this.#writeCheckpoints.get(clientId) ?? 0n) + 1n;
    this.#writeCheckpoints.set(clientId, id);
    this.#notify();
    return String(id);
  }

  #requestCheckpoint({ client_id: clientId, checkpoint_request_id: requested }) {
    this.requestedCheckpoints.push(requested);
    const before = this.#writeCheckpoints.get(clientId) ?? 0n;
    const id = BigInt(requested) > before ? BigInt(requested) : before;
    this.#writeCheckpoints.set(clientId, id);
    this.#notify();
    return String(id);
  }
}

function json(response, status, value) {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(value));
}

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}
