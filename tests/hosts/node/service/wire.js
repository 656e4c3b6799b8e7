// A proxy in front of the real service. It passes on what both sides send, byte by byte; a test can look at it, hold it
// back, or end it between two lines.

import { once } from 'node:events';
import { createServer, request as send } from 'node:http';
import { constants, createGunzip } from 'node:zlib';
import { deserialize } from 'bson';
import { withResolvers } from '../app/promises.js';
import { Tap } from '../app/tap.js';

const STREAM = 'POST /sync/stream';

/** The two encodings of lines: how the next line is found at the beginning of bytes, and what it says. */
export const BSON = {
  name: 'BSON',
  type: 'application/vnd.powersync.bson-stream',
  length: (bytes) => (bytes.length < 4 ? Infinity : bytes.readInt32LE(0)),
  decode: (bytes) => deserialize(bytes)
};
export const NDJSON = {
  name: 'NDJSON',
  type: 'application/x-ndjson',
  length: (bytes) => (bytes.indexOf(10) === -1 ? Infinity : bytes.indexOf(10) + 1),
  decode: (bytes) => JSON.parse(bytes.toString())
};

export class Wire extends Tap {
  #server = createServer((request, response) => void this.#pass(request, response));

  #heldRoutes = new Map();
  #lostAnswers = [];

  /** Requests that were answered, as `METHOD path`, without those for streams. */
  requests = [];
  /** Ids of checkpoint requests, as they came. */
  requestedCheckpoints = [];

  /**
   * @param {import('./program.js').Program} program
   * @param {object} format the encoding that streams have: one of the two above
   */
  constructor(program, format) {
    super();
    this.program = program;
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

  /** Does not pass on the next answer to a request of this route. */
  loseAnswer(route) {
    this.#lostAnswers.push(route);
  }

  async #pass(request, response) {
    try {
      const route = `${request.method} ${new URL(request.url, this.url).pathname}`;
      const content = await read(request);
      await this.#heldRoutes.get(route)?.();
      const answer = await this.#forward(request, content, route);
      if (route === STREAM && answer.statusCode === 200) {
        return await new WireStream(this, JSON.parse(content), request, response, answer).run();
      }
      if (route !== STREAM) this.requests.push(route);
      if (route === 'POST /sync/checkpoint-request') {
        this.requestedCheckpoints.push(String(JSON.parse(content).checkpoint_request_id));
      }
      const body = await read(answer);
      if (this.#lostAnswers.includes(route)) {
        this.#lostAnswers.splice(this.#lostAnswers.indexOf(route), 1);
        return response.destroy();
      }
      response.writeHead(answer.statusCode, answer.headers);
      response.end(body);
    } catch {
      // The service is not there, or one of the two has gone.
      response.destroy();
    }
  }

  async #forward(request, content, route) {
    const headers = { ...request.headers, host: new URL(this.program.url).host };
    if (route === STREAM) headers.accept = this.format.type;
    const forwarded = send(new URL(request.url, this.program.url), { method: request.method, headers, agent: false });
    const answered = once(forwarded, 'response');
    // The service may answer before it has read everything.
    forwarded.on('error', () => {});
    forwarded.end(content);
    const [answer] = await answered;
    return answer;
  }
}

/** One stream that is open. */
class WireStream {
  #answer;
  #isOpen = true;

  constructor(wire, request, { headers }, response, answer) {
    this.wire = wire;
    /** The request, as the client sent it. */
    this.request = request;
    /** The token that the client showed. */
    this.token = headers.authorization.split(' ')[1];
    this.response = response;
    this.#answer = answer;
    /** Lines sent so far. */
    this.lines = [];
    /** Done when the connection is closed, by either side. */
    this.closed = new Promise((resolve) => response.once('close', resolve));
    this.closed.then(() => {
      this.#isOpen = false;
      answer.destroy();
    });
  }

  /** Operations sent so far. */
  get operations() {
    return this.lines.flatMap((line) => line.data?.data ?? []);
  }

  /** Names of the buckets of the first checkpoint, of the streams of this name or of all. */
  buckets(stream) {
    const { buckets, streams } = this.lines.find((line) => line.checkpoint !== undefined).checkpoint;
    const isOf = ({ subscriptions }) => subscriptions.some((reason) => streams[reason.default]?.name === stream);
    return buckets.filter((bucket) => stream === undefined || isOf(bucket)).map(({ bucket }) => bucket);
  }

  /** Passes lines on until one of the two sides ends. */
  async run() {
    const { 'content-encoding': encoding, ...headers } = this.#answer.headers;
    this.response.writeHead(200, headers);
    this.response.flushHeaders();
    this.wire.accept(this);
    for await (const bytes of this.#frames(encoding)) {
      const line = this.wire.format.decode(bytes);
      const passed = await Promise.race([this.wire.intercept(line, this), this.closed]);
      if (!this.#isOpen) return;
      if (passed !== line) throw new Error('lines of the real service are not changed');
      this.lines.push(line);
      this.response.write(bytes);
    }
    this.end();
  }

  async *#frames(encoding) {
    const { format } = this.wire;
    const body = encoding === 'gzip' ? this.#answer.pipe(createGunzip({ flush: constants.Z_SYNC_FLUSH })) : this.#answer;
    // An error on the way ends the pipe, too.
    this.#answer.once('error', (error) => body.destroy(error));
    let waiting = Buffer.alloc(0);
    for await (const chunk of body) {
      waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
      for (let length = format.length(waiting); length <= waiting.length; length = format.length(waiting)) {
        yield waiting.subarray(0, length);
        waiting = waiting.subarray(length);
      }
    }
  }

  /** Ends the response properly, as the service does when a token expires. */
  end() {
    this.#isOpen = false;
    this.response.end();
  }

  /** Breaks the connection in the middle. */
  drop() {
    this.#isOpen = false;
    this.response.destroy();
  }
}

async function read(message) {
  const chunks = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks);
}
