// The real service: the program `rowtide`, started for one test and stopped by it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { within } from '../app/promises.js';

const NAME = process.platform === 'win32' ? 'rowtide.exe' : 'rowtide';
const BUILT = fileURLToPath(new URL(`../../../../target/debug/${NAME}`, import.meta.url));

/** ROWTIDE, or the debug build of this repository. */
const PATH = process.env.ROWTIDE || BUILT;
if (!existsSync(PATH)) throw new Error(`there is no program ${PATH}; \`cargo xtask node\` builds it`);

/** The token of those who may administer the service. */
const ADMIN_TOKEN = 'admin-of-tests';

/** Children of this process; none outlives it. */
const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export class Program {
  #child;
  #directory;
  #args;
  #variables;
  #errors = '';
  #listeners = new Set();

  constructor(directory, args, variables = {}) {
    this.#directory = directory;
    this.#args = args;
    this.#variables = variables;
  }

  /** Starts it, and waits until clients can sync. Later it starts on the same port again. */
  async start() {
    const port = this.url === undefined ? '0' : new URL(this.url).port;
    const env = { ...process.env, ROWTIDE_ADMIN_TOKEN: ADMIN_TOKEN, ...this.#variables };
    const child = spawn(PATH, [...this.#args, '--json', '--port', port], {
      cwd: this.#directory,
      env,
      stdio: ['ignore', 'pipe', 'pipe']
    });
    this.#child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#errors += text;
      for (const listener of [...this.#listeners]) listener();
    });
    /** What it printed when it was ready. */
    this.ready = await within(firstLine(child), () => `rowtide to be ready; it says: ${this.#errors}`);
    if (this.ready === undefined) throw new Error(`rowtide has ended: ${this.#errors}`);
    this.url = this.ready.url;
  }

  /** Waits until it prints something to standard error, from `start` on; gives where that ends. */
  prints(text, start = 0) {
    let listener;
    const found = new Promise((resolve) => {
      listener = () => {
        const index = this.#errors.indexOf(text, start);
        if (index !== -1) resolve(index + text.length);
      };
      this.#listeners.add(listener);
      listener();
    });
    return within(found, () => `"${text}" from rowtide, which says: ${this.#errors.slice(start)}`).finally(() =>
      this.#listeners.delete(listener)
    );
  }

  /** Where its standard error ends now. */
  get printed() {
    return this.#errors.length;
  }

  signal(name) {
    this.#child.kill(name);
  }

  /** Ends it without any warning. */
  async kill() {
    if (this.#child?.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  /** Ends it as people do, and checks that it ends well. */
  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const [code] = await within(ended, () => `the end of rowtide, which says: ${this.#errors}`);
    assert.equal(code, 0, `rowtide has failed: ${this.#errors}`);
  }

  /** What the service tells those who administer it. */
  async status() {
    const response = await fetch(`${this.url}/api/admin/v1/status`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
    assert.equal(response.status, 200);
    return response.json();
  }
}

/** The first line of standard output, as JSON; nothing if the child ends without one. */
function firstLine(child) {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (more) => {
      text += more;
      if (text.includes('\n')) resolve(JSON.parse(text.slice(0, text.indexOf('\n'))));
    });
    child.stdout.once('end', () => resolve(undefined));
    child.once('error', reject);
  });
}
