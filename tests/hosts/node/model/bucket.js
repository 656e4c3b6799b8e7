// A bucket of the sync service: its operations in order, with the checksums of the reference service.

import { createHash } from 'node:crypto';

/** One operation, as a data line carries it. `op_id` is a number here and becomes text in the line. */
/** @typedef {{op_id: number, op: 'PUT'|'REMOVE'|'MOVE'|'CLEAR', object_type?: string, object_id?: string,
 *             subkey?: string, checksum: number, data?: string | null}} Operation */

/** The first four bytes of SHA-256, as an unsigned 32-bit number. */
function checksum(text) {
  return createHash('sha256').update(text).digest().readUInt32LE(0);
}

export class Bucket {
  /** @type {Operation[]} */
  operations = [];

  /** @param {string} name */
  constructor(name) {
    this.name = name;
  }

  /** Tells operations on one row apart from those on a row of the same type and id that comes from elsewhere. */
  #subkey(type, id) {
    return `${this.name}/${type}/${id}`;
  }

  put(opId, type, id, data) {
    this.operations.push({
      op_id: opId,
      op: 'PUT',
      object_type: type,
      object_id: id,
      checksum: checksum(`put.${type}.${id}.${data}`),
      subkey: this.#subkey(type, id),
      data
    });
  }

  remove(opId, type, id) {
    const subkey = this.#subkey(type, id);
    this.operations.push({
      op_id: opId,
      op: 'REMOVE',
      object_type: type,
      object_id: id,
      checksum: checksum(`delete.${subkey}`),
      subkey,
      data: null
    });
  }

  /**
   * Compacts as the service does: a superseded operation becomes a MOVE, and everything up to the first PUT that still
   * counts becomes one CLEAR. The checksum of the bucket stays.
   */
  compact() {
    const last = new Map(this.operations.map((operation, index) => [operation.subkey, index]));
    const current = (operation, index) => operation.op === 'PUT' && last.get(operation.subkey) === index;
    const first = this.operations.findIndex(current);
    const kept = first === -1 ? [] : this.operations.slice(first);
    const cleared = first === -1 ? this.operations : this.operations.slice(0, first);
    const moved = kept.map((operation, index) =>
      operation.op === 'PUT' && !current(operation, index + first)
        ? { op_id: operation.op_id, op: 'MOVE', checksum: operation.checksum }
        : operation
    );
    const clear = { op_id: cleared.at(-1)?.op_id, op: 'CLEAR', checksum: sum(cleared) };
    this.operations = cleared.length === 0 ? moved : [clear, ...moved];
  }

  /** Operations after one id and up to another. */
  between(after, upTo) {
    return this.operations.filter((operation) => operation.op_id > after && operation.op_id <= upTo);
  }

  /** Checksum and number of operations up to an id. The service sends checksums of buckets as signed numbers. */
  summary(upTo) {
    const operations = this.between(0, upTo);
    return { checksum: sum(operations) | 0, count: operations.length };
  }
}

/** The sum of checksums, modulo 2³². */
function sum(operations) {
  return operations.reduce((total, operation) => (total + operation.checksum) >>> 0, 0);
}
