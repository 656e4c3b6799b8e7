// What a program compiled for WASI finds in a browser: the time, randomness, a standard input and output, and no files.

const BAD_DESCRIPTOR = 8;
const NOT_SUPPORTED = 52;

class Exit {
  constructor(code) {
    this.code = code;
  }
}

export class Wasi {
  #instance;
  #input;
  #output = '';
  #decoder = new TextDecoder();

  constructor(input = '') {
    this.#input = new TextEncoder().encode(input);
  }

  /** Starts a program from its compiled module. */
  async instantiate(module) {
    const known = this.#functions();
    // The program links more of the system than it uses.
    const all = new Proxy(known, { get: (functions, name) => functions[name] ?? (() => NOT_SUPPORTED) });
    this.#instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: all });
    return this.#instance.exports;
  }

  /** Runs the program's `main`; gives its exit code. */
  run() {
    try {
      this.#instance.exports._start();
      return 0;
    } catch (error) {
      if (error instanceof Exit) return error.code;
      throw error;
    }
  }

  /** What the program has printed. */
  get output() {
    return this.#output;
  }

  // The memory moves when it grows, so that views of it are made anew.
  get #view() {
    return new DataView(this.#instance.exports.memory.buffer);
  }

  #bytes(address, size) {
    return new Uint8Array(this.#instance.exports.memory.buffer, address, size);
  }

  /** The parts of memory that a list of pairs of address and size names. */
  #parts(list, count) {
    const view = this.#view;
    const pair = (_, index) => [view.getUint32(list + 8 * index, true), view.getUint32(list + 8 * index + 4, true)];
    return Array.from({ length: count }, pair).map(([address, size]) => this.#bytes(address, size));
  }

  #functions() {
    const store = (address, number) => {
      this.#view.setUint32(address, number, true);
      return 0;
    };
    const sizes = (count, size) => store(count, 0) || store(size, 0);
    return {
      args_sizes_get: sizes,
      args_get: () => 0,
      environ_sizes_get: sizes,
      environ_get: () => 0,
      clock_time_get: (_clock, _precision, address) => {
        this.#view.setBigUint64(address, BigInt(Date.now()) * 1_000_000n, true);
        return 0;
      },
      random_get: (address, size) => {
        // The browser fills no more at once.
        for (let done = 0; done < size; done += 65536) {
          crypto.getRandomValues(this.#bytes(address + done, Math.min(65536, size - done)));
        }
        return 0;
      },
      // There are no directories.
      fd_prestat_get: () => BAD_DESCRIPTOR,
      fd_read: (descriptor, list, count, total) => {
        if (descriptor !== 0) return BAD_DESCRIPTOR;
        let read = 0;
        for (const part of this.#parts(list, count)) {
          const piece = this.#input.subarray(0, part.length);
          part.set(piece);
          this.#input = this.#input.subarray(piece.length);
          read += piece.length;
        }
        return store(total, read);
      },
      fd_write: (descriptor, list, count, total) => {
        if (descriptor !== 1 && descriptor !== 2) return BAD_DESCRIPTOR;
        let written = 0;
        for (const part of this.#parts(list, count)) {
          this.#output += this.#decoder.decode(part, { stream: true });
          written += part.length;
        }
        return store(total, written);
      },
      proc_exit: (code) => {
        throw new Exit(code);
      },
    };
  }
}
