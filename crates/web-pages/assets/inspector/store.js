// @ts-check
// The one store of the page: the newest status, and what it was before, for charts. It asks gently: every other second while the
// page is seen, more often while a configuration is being built, and not at all while the page is hidden.

const PAUSE = 2000;
const SHORT_PAUSE = 500;
/** Samples that are kept: about five minutes. */
const MOST = 150;

/** @typedef {{ at: number, commits: number, written: number, sent: number, bytes: number, clients: number, lag: number | null }} Sample */

export class Store {
  /** @type {any} */
  status = null;
  /** @type {import('./api.js').Refusal | null} */
  error = null;
  /** What `rowtide dev` says of itself; null for other services. @type {any} */
  about = null;
  /** @type {Sample[]} */
  samples = [];
  /** @type {Set<() => void>} */
  #listeners = new Set();
  #timer = 0;
  #isAsking = false;

  /** @param {import('./api.js').Api} api */
  constructor(api) {
    this.api = api;
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.refresh();
    });
  }

  /**
   * Calls `listener` whenever there is a new status.
   * @param {() => void} listener
   */
  listen(listener) {
    this.#listeners.add(listener);
  }

  /** Asks now, and then again and again. */
  async refresh() {
    clearTimeout(this.#timer);
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      this.status = await this.api.ask('/api/admin/v1/status');
      if (this.status.development && this.about === null) this.about = await this.api.ask('/dev/about');
      this.error = null;
      this.#note();
    } catch (error) {
      this.error = /** @type {any} */ (error);
    }
    this.#isAsking = false;
    for (const listener of this.#listeners) listener();
    const pause = this.status?.config.building ? SHORT_PAUSE : PAUSE;
    if (!document.hidden) this.#timer = setTimeout(() => this.refresh(), pause);
  }

  #note() {
    const { counters, clients, source } = this.status;
    const last = this.samples.at(-1);
    // The service was started again: its counters begin at 0.
    if (last && counters.commits < last.commits) this.samples = [];
    this.samples.push({
      at: performance.now() / 1000,
      commits: counters.commits,
      written: counters.operations_written,
      sent: counters.operations_sent,
      bytes: counters.bytes_sent,
      clients: clients.length,
      lag: source.lag_seconds,
    });
    if (this.samples.length > MOST) this.samples.shift();
  }

  /**
   * How fast a counter grew between each two samples, per second.
   * @param {'commits' | 'written' | 'sent' | 'bytes'} name
   */
  rates(name) {
    return this.samples.slice(1).map((sample, index) => {
      const before = this.samples[index];
      return { at: sample.at, value: Math.max(0, sample[name] - before[name]) / Math.max(0.1, sample.at - before.at) };
    });
  }

  /** @param {'clients' | 'lag'} name */
  values(name) {
    return this.samples.map((sample) => ({ at: sample.at, value: sample[name] ?? 0 }));
  }
}
