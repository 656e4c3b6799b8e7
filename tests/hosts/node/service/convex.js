// A Convex deployment: its double `fake-convex`, which `cargo xtask node` builds, started for one test.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { within } from '../app/promises.js';

const NAME = process.platform === 'win32' ? 'fake-convex.exe' : 'fake-convex';
const BUILT = fileURLToPath(new URL(`../../../../target/debug/${NAME}`, import.meta.url));

/** FAKE_CONVEX, or the debug build of this repository. */
const PATH = process.env.FAKE_CONVEX || BUILT;

const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export class Convex {
  #child;
  #lines;

  /** Starts it with a table `todos`. */
  async start() {
    if (!existsSync(PATH)) throw new Error(`there is no program ${PATH}; \`cargo xtask node\` builds it`);
    this.#child = spawn(PATH, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    running.add(this.#child);
    this.#child.once('exit', () => running.delete(this.#child));
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    const { url, key } = JSON.parse(await this.#line());
    this.url = `convex:${url}?allow_private_addresses=true&polling_interval_ms=20`;
    this.key = key;
    const fields = { uuid: 'string', text: 'string', done: 'boolean?', count: 'int64?', rank: 'float64?', owner: 'string?' };
    await this.run({ define: { todos: fields } });
  }

  async #line() {
    const { value, done } = await within(this.#lines.next(), 'a line of fake-convex');
    assert.ok(!done, 'fake-convex has ended');
    return value;
  }

  /** Runs a line of a script. */
  async run(line) {
    this.#child.stdin.write(`${JSON.stringify(line)}\n`);
    assert.equal(await this.#line(), 'ok');
  }

  /** The todos, by the ids of clients, without what Convex adds. */
  async todos() {
    this.#child.stdin.write('{"show": "todos"}\n');
    const documents = JSON.parse(await this.#line());
    const fields = documents.map(({ _id, _creationTime, ...document }) => [document.uuid, document]);
    return new Map(fields);
  }

  /** Ends it. */
  async close() {
    if (this.#child === undefined || this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin.end();
    await ended;
  }
}
