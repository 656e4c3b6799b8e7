// Tests with a service and clients: each runs once with BSON lines and once with JSON lines, as older services send them.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Schema } from '@powersync/common';
import { Client } from './client.js';
import { library } from './library.js';
import { Companion } from './process.js';
import { ROUTING, STREAMS, TABLES } from './model.js';
import { BSON, NDJSON } from '../service/format.js';
import { SyncService } from '../service/service.js';
import { Source } from '../service/source.js';

/** The SDK would send requests through a proxy that the environment names. */
process.env.NO_PROXY = process.env.no_proxy = '127.0.0.1';

/** A service, its source database, and the clients that a test opens. */
class Stage {
  #clients = [];
  #companions = [];
  #directory;

  constructor({ streams = STREAMS, routing = ROUTING, tables = TABLES }, format) {
    this.service = new SyncService(streams);
    this.service.formats = [format];
    this.source = new Source(this.service, routing);
    this.schema = new Schema(tables);
  }

  async #setUp() {
    this.#directory = await mkdtemp(join(tmpdir(), 'powersync-node-'));
    await this.service.listen();
  }

  /** Opens the client's database; `options` are those of `Client`. */
  async open(options = {}) {
    const file = join(this.#directory, 'client.db');
    const client = new Client(this.service, this.source, file, { schema: this.schema, ...options });
    this.#clients.push(client);
    await client.db.waitForReady();
    return client;
  }

  /** Starts another process that opens the client's database. */
  async fork() {
    const companion = new Companion(this.service, this.source, join(this.#directory, 'client.db'));
    this.#companions.push(companion);
    await companion.ready();
    return companion;
  }

  /** Runs a test, then closes everything. After a failure nothing more is checked. */
  async run(body) {
    await this.#setUp();
    try {
      await body(this);
      for (const client of this.#clients) await client.close();
    } finally {
      await Promise.all(this.#clients.map((client) => client.abandon()));
      this.#companions.forEach((companion) => companion.abandon());
      await this.service.close();
      await rm(this.#directory, { recursive: true });
    }
  }
}

/**
 * Defines a test. `options` may change the service (`streams`, `routing`), the schema (`tables`), and say that the
 * published library fails, `ours`: with the reason, for what we do better on purpose.
 *
 * @param {(stage: Stage) => Promise<void>} body
 */
export function scenario(name, options, body) {
  const skip = options.ours !== undefined && !library.isOurs && `not in the published library: ${options.ours}`;
  for (const format of [BSON, NDJSON]) {
    test(`${name} (${format.name})`, { skip }, () => new Stage(options, format).run(body));
  }
}
