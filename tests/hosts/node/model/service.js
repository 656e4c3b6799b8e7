// A model of a sync service, for what the real one does not do: an HTTP server on 127.0.0.1 with buckets, streams and
// write checkpoints, whose lines a test can change, hold back or break.
//
// It is written from the protocol and shares nothing with the real service, checksums included, and must stay so: what
// library and service both have wrong would show nowhere else. Where the real service can do it, tests use that.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Bucket } from './bucket.js';
import { SyncStream } from './stream.js';
import { withResolvers } from '../app/promises.js';
import { Tap } from '../app/tap.js';

export class SyncService extends Tap {
  #server = createServer((request, response) => this.#handle(request, response));
  #buckets = new Map();
  #writeCheckpoints = new Map();
  #changed = withResolvers();
  #committing = 0;

  /** The id of the newest operation. */
  lastOpId = 0;
  /** How long a request takes, and what a stream sends for one checkpoint, in milliseconds. */
  latency = 0;
  /** How many operations a data line holds at most. */
  operationsPerLine = 1000;

  /**
   * @param {Record<string, import('./configuration.js').StreamDefinition>} streams
   * @param {object} format the encoding of lines
   */
  constructor(streams, format) {
    super();
    this.streams = streams;
    this.format = format;
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

  /** The newest write checkpoint of a client, as text. */
  writeCheckpoint(clientId) {
    const id = this.#writeCheckpoints.get(clientId);
    return id === undefined ? undefined : String(id);
  }

  async #handle(request, response) {
    try {
      const url = new URL(request.url, this.url);
      const token = request.headers.authorization?.replace(/^Token /, '');
      const route = `${request.method} ${url.pathname}`;
      if (token === undefined) {
        return json(response, 401, { error: { status: 401, code: 'PSYNC_S2101', description: 'Invalid token' } });
      }
      switch (route) {
        case 'POST /sync/stream':
          return await this.#openStream(request, response);
        case 'GET /write-checkpoint2.json':
          return json(response, 200, { data: { write_checkpoint: this.#createWriteCheckpoint(url.searchParams) } });
        default:
          return json(response, 404, { error: { status: 404, code: 'PSYNC_S2002', description: `No ${route}` } });
      }
    } catch (error) {
      if (!response.headersSent) json(response, 500, { error: { status: 500, description: String(error) } });
      else response.destroy(error);
    }
  }

  async #openStream(request, response) {
    const stream = new SyncStream(this, await body(request), response);
    await delay(this.latency);
    response.writeHead(200, { 'Content-Type': this.format.type });
    response.flushHeaders();
    this.accept(stream);
    await stream.run();
  }

  #createWriteCheckpoint(parameters) {
    const clientId = parameters.get('client_id');
    const id = (this.#writeCheckpoints.get(clientId) ?? 0n) + 1n;
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
