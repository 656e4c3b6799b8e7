// Cuts a stream into lines, and hands them over one by one.

/**
 * The lines of a stream of JSON. Chunks do not align with lines, and not even with characters: they are cut as bytes.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => void} onChunk called for each chunk, also for one without the end of a line
 */
export async function* lines(body, onChunk) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let begun = []; // the chunks of the line that has begun
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onChunk();
      let start = 0;
      for (let end = value.indexOf(10); end !== -1; end = value.indexOf(10, start)) {
        begun.push(value.subarray(start, end));
        yield decoder.decode(join(begun));
        begun = [];
        start = end + 1;
      }
      if (start < value.length) begun.push(value.subarray(start));
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function join(parts) {
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Events that wait for their turn. Who adds too many waits, too: so a slow database slows down the network. */
export class Queue {
  #items = [];
  #limit;
  #wakeReader = () => {};
  #wakeWriters = [];

  constructor(limit = 16) {
    this.#limit = limit;
  }

  /** Adds an item at once. */
  push(item) {
    this.#items.push(item);
    this.#wakeReader();
  }

  /** Adds an item, and waits until there is room for another one. */
  async put(item) {
    this.push(item);
    if (this.#items.length >= this.#limit) await new Promise((resolve) => this.#wakeWriters.push(resolve));
  }

  /** Takes the oldest item, as soon as there is one. */
  async take() {
    if (this.#items.length === 0) await new Promise((resolve) => (this.#wakeReader = resolve));
    const item = this.#items.shift();
    if (this.#items.length < this.#limit) this.#wakeWriters.splice(0).forEach((wake) => wake());
    return item;
  }

  /** Lets go of whoever waits to add something: nobody takes it any more. */
  close() {
    this.#limit = Infinity;
    this.#wakeWriters.splice(0).forEach((wake) => wake());
  }
}
