// What has happened lately, for people: what was sent and received, and what the extension asked for.

/** How many entries are kept, and how many characters of each. */
const ENTRIES = 200;
const LENGTH = 600;

/**
 * @typedef {object} Entry
 * @property {number} number counts from 1
 * @property {number} at ms since 1970
 * @property {'sent' | 'received' | 'instruction' | 'message'} kind
 * @property {string} text its beginning, if it is long
 * @property {number} length of the whole text
 */

export class Log {
  #number = 0;
  #told = 0;

  /** @type {Entry[]} */
  entries = [];

  add(kind, text) {
    this.#number += 1;
    this.entries.push({ number: this.#number, at: Date.now(), kind, text: text.slice(0, LENGTH), length: text.length });
    if (this.entries.length > 2 * ENTRIES) this.entries.splice(0, this.entries.length - ENTRIES);
  }

  /** The entries that this has not given before. */
  takeNew() {
    const entries = this.latest.filter((entry) => entry.number > this.#told);
    this.#told = this.#number;
    return entries;
  }

  get latest() {
    return this.entries.slice(-ENTRIES);
  }
}
