// The development service for tests: starts the program, and stops it again.

import { spawn } from 'node:child_process';
import { programPath } from './program.js';

export { programPath };

/** How long a service that was told to stop may take before it is killed, in milliseconds. */
const PATIENCE = 10_000;

/** The program could not be started, has ended, or has refused what was asked of it. */
export class RowtideError extends Error {
  constructor(message, { exitCode = null, stderr = '', cause } = {}) {
    super(message, { cause });
    this.name = 'RowtideError';
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/** Starts a development service, and resolves when clients can sync. */
export async function dev(options = {}) {
  const child = spawn(programPath(), commandLine(options), {
    cwd: options.cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
  });
  const ended = new Promise((resolve) => {
    child.once('error', (cause) => resolve({ cause }));
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal }));
  });
  const errors = collect(child.stderr);
  // It stops when this pipe is closed, also by the end of this process. Writing to a service that has ended is no error.
  child.stdin.on('error', () => {});
  const line = await Promise.race([firstLine(child.stdout), ended.then(() => null)]);
  if (line === null) throw failure(await ended, errors.text());
  errors.passOn();
  release(child);
  return new DevServer(JSON.parse(line), child, ended);
}

function commandLine({ config, seed, writes, source, users = [], port = 0, deterministic = false }) {
  const values = { seed, writes, source };
  return [
    'dev',
    ...['--port', String(port), '--json', '--ephemeral', '--stop-with-stdin'],
    ...Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`])),
    ...users.map((user) => `--user=${user}`),
    ...(deterministic ? ['--deterministic'] : []),
    ...(config === undefined ? [] : ['--', String(config)]),
  ];
}

/** Keeps what a stream has said, until it is to be passed on to the standard error of this process. */
function collect(stream) {
  let text = '';
  const keep = (piece) => (text += piece);
  stream.setEncoding('utf8').on('data', keep);
  return {
    text: () => text.trim(),
    passOn() {
      stream.off('data', keep).on('data', (piece) => process.stderr.write(piece));
      if (text !== '') process.stderr.write(text);
    },
  };
}

/** The first line of a stream; null if it ends before. What comes later is thrown away. */
function firstLine(stream) {
  return new Promise((resolve) => {
    let text = '';
    const look = (piece) => {
      text += piece;
      const end = text.indexOf('\n');
      if (end < 0) return;
      resolve(text.slice(0, end));
      stream.off('data', look).resume();
    };
    stream.setEncoding('utf8').on('data', look);
    stream.once('end', () => resolve(null));
  });
}

function failure({ cause, exitCode, signal }, stderr) {
  const message = cause ? `cannot be started: ${cause.message}` : stderr || `ended with ${signal ?? exitCode}`;
  return new RowtideError(`rowtide dev: ${message}`, { exitCode, stderr, cause });
}

/** A service that somebody has forgotten does not keep this process from ending. */
function release(child) {
  child.unref();
  for (const pipe of child.stdio) pipe.unref?.();
}

class DevServer {
  #child;
  #ended;

  constructor({ url, tokens, source, folder }, child, ended) {
    this.url = url;
    this.tokens = tokens;
    this.source = source ?? undefined;
    this.folder = folder;
    this.#child = child;
    this.#ended = ended;
  }

  /** A new token for a user. */
  async token(user) {
    const response = await this.#request(`/dev/token?user=${encodeURIComponent(user)}`);
    return response.text();
  }

  /** The schema of clients, made from the configuration and the source. */
  async schema() {
    const response = await this.#request('/dev/schema');
    return response.json();
  }

  /** Gives the source the rows of its seed again. */
  async reset() {
    await this.#request('/dev/reset', { method: 'POST' });
  }

  /** Stops the service, and waits until it has ended. */
  async stop() {
    const child = this.#child;
    child.ref();
    child.stdin.end();
    const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    await this.#ended;
    clearTimeout(late);
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }

  async #request(path, options) {
    let response;
    try {
      response = await fetch(this.url + path, options);
    } catch (cause) {
      throw new RowtideError(`rowtide dev: nobody answers at ${this.url}: was it stopped?`, { cause });
    }
    if (response.ok) return response;
    const body = await response.text();
    throw new RowtideError(`rowtide dev: ${path} failed with ${response.status}: ${description(body)}`);
  }
}

/** What an answer says about what is wrong. */
function description(body) {
  try {
    return JSON.parse(body).error.description;
  } catch {
    return body;
  }
}
