// One open /sync/stream response: announces checkpoints to its client, one after the other, and sends the operations that
// are missing for each.

import { setTimeout as delay } from 'node:timers/promises';
import { evaluate } from './configuration.js';

export class SyncStream {
  /** The last operation sent, by bucket. */
  #sent = new Map();
  /** What the client was last told about each bucket, as text. */
  #told = new Map();
  #toldWriteCheckpoint = undefined;
  #checkpoints = 0;
  #open = true;

  constructor(service, request, response) {
    this.service = service;
    /** The request, as the client sent it. */
    this.request = request;
    this.response = response;
    /** Lines sent so far. */
    this.lines = [];
    /** Done when the connection is closed, by either side. */
    this.closed = new Promise((resolve) => response.once('close', resolve));
    this.closed.then(() => (this.#open = false));
    for (const { name, after } of request.buckets) this.#sent.set(name, Number(after));
  }

  /** Operations sent so far. */
  get operations() {
    return this.lines.flatMap((line) => line.data?.data ?? []);
  }

  /** Sends a keep-alive, as services do when nothing happens. */
  async keepAlive() {
    await delay(this.service.latency);
    await this.send({ token_expires_in: 3600 });
  }

  /** Sends checkpoints until the connection is closed. */
  async run() {
    while (this.#open) {
      const changed = this.service.changed;
      await this.#round();
      await Promise.race([changed, this.closed]);
    }
  }

  /** Sends one line, through the service's interceptors. */
  async send(line) {
    const intercepted = await Promise.race([this.service.intercept(line, this), this.closed]);
    if (!this.#open || intercepted === undefined) return;
    this.lines.push(intercepted);
    this.response.write(this.service.format.encode(intercepted));
  }

  /** One checkpoint: its line, the operations by priority, and the line that ends it. */
  async #round() {
    const { lastOpId } = this.service;
    const writeCheckpoint = this.service.writeCheckpoint(this.request.client_id);
    const { streams, buckets } = evaluate(this.service.streams, this.request);
    const target = new Map(
      [...buckets].map(([name, { priority, reasons }]) => [
        name,
        { bucket: name, ...this.service.bucket(name).summary(lastOpId), priority, subscriptions: reasons }
      ])
    );
    if (this.service.latency > 0) await delay(this.service.latency);
    if (!(await this.#announce(lastOpId, writeCheckpoint, streams, target))) return;
    await this.#sendOperations(lastOpId, [...target.values()]);
    await this.send({ checkpoint_complete: { last_op_id: String(lastOpId) } });
  }

  /** Sends the line that describes the checkpoint. Returns false if there is nothing new to tell. */
  async #announce(lastOpId, writeCheckpoint, streams, target) {
    const updated = [...target.values()].filter((entry) => this.#told.get(entry.bucket) !== JSON.stringify(entry));
    const removed = [...this.#told.keys()].filter((name) => !target.has(name));
    const base = { last_op_id: String(lastOpId), write_checkpoint: writeCheckpoint };
    const first = this.#checkpoints === 0;
    const news = updated.length > 0 || removed.length > 0 || writeCheckpoint !== this.#toldWriteCheckpoint;
    if (!first && !news) return false;

    this.#checkpoints += 1;
    this.#toldWriteCheckpoint = writeCheckpoint;
    this.#told = new Map([...target].map(([name, entry]) => [name, JSON.stringify(entry)]));
    for (const name of removed) this.#sent.delete(name);
    await this.send(
      first
        ? { checkpoint: { ...base, buckets: [...target.values()], streams } }
        : { checkpoint_diff: { ...base, removed_buckets: removed, updated_buckets: updated } }
    );
    return true;
  }

  /** Sends missing operations, the most urgent buckets first. */
  async #sendOperations(lastOpId, target) {
    const missing = target.filter(({ bucket }) => this.#missing(bucket, lastOpId).length > 0);
    const priorities = [...new Set(missing.map(({ priority }) => priority))].sort((a, b) => a - b);
    for (const priority of priorities) {
      for (const entry of missing.filter((candidate) => candidate.priority === priority)) {
        await this.#sendBucket(entry.bucket, lastOpId);
      }
      if (priority !== priorities.at(-1)) {
        await this.send({ partial_checkpoint_complete: { last_op_id: String(lastOpId), priority } });
      }
    }
  }

  #missing(name, lastOpId) {
    return this.service.bucket(name).between(this.#sent.get(name) ?? 0, lastOpId);
  }

  async #sendBucket(name, lastOpId) {
    for (;;) {
      const missing = this.#missing(name, lastOpId);
      const operations = missing.slice(0, this.service.operationsPerLine);
      if (operations.length === 0 || !this.#open) return;
      const next = operations.at(-1).op_id;
      await this.send({
        data: {
          bucket: name,
          after: String(this.#sent.get(name) ?? 0),
          has_more: missing.length > operations.length,
          data: operations.map((operation) => ({ ...operation, op_id: String(operation.op_id) })),
          next_after: String(next)
        }
      });
      this.#sent.set(name, next);
    }
  }
}
