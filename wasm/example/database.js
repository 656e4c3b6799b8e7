// The functions of program.c for JavaScript.
import { Wasi } from './wasi.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Database {
  #program;

  /** Opens the database that `save` gave the bytes of, or an empty one without. */
  static async open(bytes) {
    const module = await WebAssembly.compileStreaming(fetch('program.wasm'));
    const program = await new Wasi().instantiate(module);
    program._initialize();
    const database = new Database(program);
    const code = program.open_database(bytes ? database.#copy(bytes) : 0, bytes?.length ?? 0);
    if (code !== 0) throw new Error(`cannot open the database: SQLite's error ${code}`);
    return database;
  }

  constructor(program) {
    this.#program = program;
  }

  /** Runs a statement; gives its rows, each an array of values. */
  run(sql, parameters = []) {
    const texts = [sql, JSON.stringify(parameters)].map((text) => this.#copy(encoder.encode(`${text}\0`)));
    const result = this.#program.execute(...texts);
    for (const address of texts) this.#program.release(address);
    if (result === 0) throw new Error('out of memory');
    const rows = JSON.parse(this.#text(result));
    this.#program.release(result);
    if (typeof rows === 'string') throw new Error(rows);
    return rows;
  }

  /** Runs a function in a transaction, which is rolled back if it throws. */
  transaction(action) {
    this.run('BEGIN IMMEDIATE');
    try {
      const result = action();
      this.run('COMMIT');
      return result;
    } catch (error) {
      this.run('ROLLBACK');
      throw error;
    }
  }

  /** The bytes of the database, as they would stand in a file. */
  save() {
    const place = this.#copy(new Uint8Array(8));
    const address = this.#program.save(place);
    const size = Number(new DataView(this.#program.memory.buffer).getBigInt64(place, true));
    this.#program.release(place);
    if (address === 0) throw new Error('out of memory');
    const bytes = this.#memory.slice(address, address + size);
    this.#program.release(address);
    return bytes;
  }

  // The memory moves when it grows, so that views of it are made anew.
  get #memory() {
    return new Uint8Array(this.#program.memory.buffer);
  }

  #copy(bytes) {
    const address = this.#program.allocate(bytes.length);
    if (address === 0) throw new Error('out of memory');
    this.#memory.set(bytes, address);
    return address;
  }

  #text(address) {
    const memory = this.#memory;
    return decoder.decode(memory.subarray(address, memory.indexOf(0, address)));
  }
}
