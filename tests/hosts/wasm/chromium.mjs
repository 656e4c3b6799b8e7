// A headless Chromium with one page, driven by the DevTools protocol over a pipe.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** After how many milliseconds a browser that does not answer counts as broken. */
const PATIENCE = 120_000;

export class Chromium {
  #process;
  #profile;
  #session;
  #errors = '';
  #number = 0;
  #waiting = new Map();
  #listeners = new Map();

  /** Starts the program with its own profile, and opens a page. */
  static async start(program) {
    const chromium = new Chromium();
    chromium.#profile = await mkdtemp(join(tmpdir(), 'chromium-'));
    // Chromium refuses to run as root with its sandbox.
    const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    const options = ['--headless', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', ...sandbox];
    chromium.#process = spawn(
      program,
      [...options, '--remote-debugging-pipe', `--user-data-dir=${chromium.#profile}`, 'about:blank'],
      { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] },
    );
    chromium.#listen();
    try {
      await chromium.#attach();
    } catch (error) {
      await chromium.close();
      throw error;
    }
    return chromium;
  }

  async #attach() {
    const { targetInfos } = await this.#send('Target.getTargets');
    const page = targetInfos.find(({ type }) => type === 'page');
    const target = page ?? (await this.#send('Target.createTarget', { url: 'about:blank' }));
    const attached = await this.#send('Target.attachToTarget', { targetId: target.targetId, flatten: true });
    this.#session = attached.sessionId;
    await this.#send('Page.enable');
  }

  /** Shows an address; is done when it is loaded. */
  async open(address) {
    const loaded = new Promise((resolve) => this.#listeners.set('Page.loadEventFired', resolve));
    const { errorText } = await this.#send('Page.navigate', { url: address });
    if (errorText) throw new Error(`${address}: ${errorText}`);
    await this.#within(loaded, `loading ${address}`);
  }

  /** The value of a JavaScript expression in the page; if that is a promise, what it comes to. */
  async evaluate(expression) {
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails: failure } = await this.#send('Runtime.evaluate', options);
    if (failure) throw new Error(`${expression.slice(0, 200)}: ${failure.exception?.description ?? failure.text}`);
    return result.value;
  }

  async close() {
    if (this.#process.exitCode === null && this.#process.kill('SIGKILL')) {
      await new Promise((resolve) => this.#process.once('close', resolve));
    }
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #listen() {
    let rest = '';
    const answers = this.#process.stdio[4];
    answers.setEncoding('utf8').on('data', (text) => {
      const messages = (rest + text).split('\0');
      rest = messages.pop();
      for (const message of messages) this.#receive(JSON.parse(message));
    });
    this.#process.stderr.setEncoding('utf8').on('data', (text) => (this.#errors += text));
    const fail = (why) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`Chromium ${why}\n${this.#errors}`));
    };
    this.#process.once('error', (error) => fail(`cannot be started: ${error.message}`));
    this.#process.once('close', (code) => fail(`has ended with code ${code}`));
    // If Chromium has gone, the event above reports it.
    this.#process.stdio[3].on('error', () => {});
  }

  #receive({ id, method, result, error }) {
    if (id === undefined) {
      this.#listeners.get(method)?.();
      return;
    }
    const { resolve, reject } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) reject(new Error(error.message));
    else resolve(result);
  }

  #send(method, params = {}) {
    const id = ++this.#number;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId: this.#session })}\0`);
    return this.#within(answer, method);
  }

  async #within(promise, what) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`Chromium does not answer to ${what}\n${this.#errors}`)), PATIENCE);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
