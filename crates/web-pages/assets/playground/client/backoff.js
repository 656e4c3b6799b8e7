// How long to wait before something that has failed is tried again.

/** In ms. */
const FIRST = 500;
const LONGEST = 10_000;

export class Backoff {
  #delay = FIRST;
  #wake = () => {};

  /** When the next attempt is, in ms since 1970; null while none is waited for. */
  nextAt = null;

  /** It has worked: the next wait is a short one. */
  reset() {
    this.#delay = FIRST;
  }

  /**
   * Waits twice as long as the last time. A part is random, so that not all clients of a service that was away come back at
   * the same moment.
   *
   * @param {() => void} onChange called when the time of the next attempt is known, and when it is there
   * @param {number} atLeast in ms
   */
  async wait(onChange, atLeast = 0) {
    const delay = Math.max(this.#delay * (0.75 + Math.random() / 4), atLeast);
    this.#delay = Math.min(2 * this.#delay, LONGEST);
    this.nextAt = Date.now() + delay;
    onChange();
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, delay);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.nextAt = null;
    this.#wake = () => {};
    onChange();
  }

  /** Tries again now. */
  wake() {
    this.#wake();
  }
}
