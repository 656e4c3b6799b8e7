// A headless Chromium, driven by the DevTools protocol over a pipe. It begins with one page; more can be opened beside it.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** After how many milliseconds a browser that does not answer counts as broken. */
const PATIENCE = 120_000;

export class Chromium {
  #process;
  #profile;
  #errors = '';
  #number = 0;
  #waiting = new Map();
  #pages = new Map();
  #first;

  /** Starts the program with its own profile, and opens a page. */
  static async start(program) {
    const chromium = new Chromium();
    chromium.#profile = await mkdtemp(join(tmpdir(), 'chromium-'));
    // Chromium refuses to run as root with its sandbox.
    const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    // Pages that are not in front would have their timers slowed down to one a second.
    const equally = ['--disable-background-timer-throttling', '--disable-renderer-backgrounding'];
    const options = ['--headless', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', ...equally, ...sandbox];
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
    const { targetInfos } = await this.send('Target.getTargets');
    const target = targetInfos.find(({ type }) => type === 'page');
    this.#first = await this.#page(target?.targetId ?? (await this.#target()));
  }

  async #target() {
    return (await this.send('Target.createTarget', { url: 'about:blank' })).targetId;
  }

  async #page(target) {
    const { sessionId } = await this.send('Target.attachToTarget', { targetId: target, flatten: true });
    const page = new Page(this, target, sessionId);
    this.#pages.set(sessionId, page);
    await page.send('Page.enable');
    await page.send('Runtime.enable');
    return page;
  }

  /** Opens another page, with the same profile. */
  async page() {
    return this.#page(await this.#target());
  }

  /** Shows an address in the first page; is done when it is loaded. */
  open(address) {
    return this.#first.open(address);
  }

  /** The value of an expression in the first page. */
  evaluate(expression) {
    return this.#first.evaluate(expression);
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

  #receive({ id, sessionId, method, params, result, error }) {
    if (id === undefined) {
      this.#pages.get(sessionId)?.receive(method, params);
      return;
    }
    const { resolve, reject } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) reject(new Error(error.message));
    else resolve(result);
  }

  /** Calls a method of the protocol, in a page's session or without one. */
  send(method, params = {}, session = undefined) {
    const id = ++this.#number;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId: session })}\0`);
    return this.within(answer, method);
  }

  /** What a promise comes to, unless that takes too long. */
  async within(promise, what) {
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

/** One page. */
export class Page {
  #chromium;
  #target;
  #session;
  #loaded = () => {};
  #listeners = [];
  /** What was written to the console, a line for each call. */
  console = [];

  constructor(chromium, target, session) {
    this.#chromium = chromium;
    this.#target = target;
    this.#session = session;
  }

  send(method, params) {
    return this.#chromium.send(method, params, this.#session);
  }

  /** Calls a function with the parameters of each event of this name. */
  listen(name, listener) {
    this.#listeners.push({ name, listener });
  }

  receive(method, params) {
    for (const { name, listener } of this.#listeners) {
      if (name === method) listener(params);
    }
    if (method === 'Page.loadEventFired') this.#loaded();
    if (method === 'Runtime.consoleAPICalled') {
      this.console.push(params.args.map(({ value, description }) => description ?? JSON.stringify(value)).join(' '));
    }
    if (method === 'Runtime.exceptionThrown') {
      const { exception, text } = params.exceptionDetails;
      this.console.push(exception?.description ?? text);
    }
  }

  /** Shows an address; is done when it is loaded. */
  async open(address) {
    const loaded = new Promise((resolve) => (this.#loaded = resolve));
    const { errorText } = await this.send('Page.navigate', { url: address });
    if (errorText) throw new Error(`${address}: ${errorText}`);
    await this.#chromium.within(loaded, `loading ${address}`);
  }

  /** Loads the page again; is done when that is. */
  async reload() {
    const loaded = new Promise((resolve) => (this.#loaded = resolve));
    await this.send('Page.reload');
    await this.#chromium.within(loaded, 'loading a page again');
  }

  /** The value of a JavaScript expression; if that is a promise, what it comes to. */
  async evaluate(expression) {
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails: failure } = await this.send('Runtime.evaluate', options);
    if (failure) throw new Error(`${expression.slice(0, 200)}: ${failure.exception?.description ?? failure.text}`);
    return result.value;
  }

  close() {
    return this.#chromium.send('Target.closeTarget', { targetId: this.#target });
  }
}
