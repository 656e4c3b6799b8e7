// What tests see of the traffic between clients and a service, and how they hold it back: the same for every service.

import { withResolvers } from './promises.js';

export class Tap {
  #interceptors = [];
  #accepted = [];
  #waiting = [];

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

  /** Remembers a stream that was opened. */
  accept(stream) {
    this.#accepted.push(stream);
    for (const waiting of this.#waiting.filter(({ number }) => number === this.#accepted.length)) {
      waiting.resolve(stream);
    }
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
}
