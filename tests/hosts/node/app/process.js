// A separate process with the SDK on a database file, as its parent sees it.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { library } from './library.js';
import { within, withResolvers } from './promises.js';

const PROGRAM = fileURLToPath(new URL('./companion.js', import.meta.url));

export class Companion {
  #child;
  #answers = new Map();
  #asked = 0;
  /** Entries that were uploaded, in order. */
  uploads = [];

  /**
   * @param {import('../model/service.js').SyncService} service
   * @param {import('../model/source.js').Source} source takes what is uploaded
   */
  constructor(service, source, file) {
    this.#child = fork(PROGRAM, [service.url, file, library.path]);
    this.#answers.set(0, withResolvers());
    this.#child.on('message', ({ number, result, error, upload, entries }) => {
      if (upload !== undefined) {
        source.transaction(() => entries.forEach((entry) => source.upload(entry)));
        this.uploads.push(...entries);
        this.#child.send({ taken: upload });
        return;
      }
      const { resolve, reject } = this.#answers.get(number);
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    });
  }

  /** Done when the database is open. */
  ready() {
    return within(this.#answers.get(0).promise, 'a process with an open database');
  }

  /** Has the process do something; see `companion.js`. */
  ask(command, ...parameters) {
    this.#asked += 1;
    const answer = withResolvers();
    this.#answers.set(this.#asked, answer);
    this.#child.send({ number: this.#asked, command, parameters });
    return within(answer.promise, `a process to ${command} ${parameters.join(', ')}`);
  }

  /** Closes the database, and waits for the end of the process; gives what the SDK logged as errors. */
  async close() {
    const errors = await this.ask('close');
    if (this.#child.exitCode === null) await within(once(this.#child, 'exit'), 'the end of a process');
    return errors;
  }

  /** Ends the process of a test that has failed. */
  abandon() {
    this.#child.kill('SIGKILL');
  }
}
