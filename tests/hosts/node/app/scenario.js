// Tests with a service and clients: each runs once with BSON lines and once with JSON lines.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Schema } from '@powersync/common';
import { Client } from './client.js';
import { CONFIG, SEED, TABLES, WRITES } from './example.js';
import { library } from './library.js';
import { Companion } from './process.js';
import { Connector as ModelConnector } from '../model/connector.js';
import { ROUTING, STREAMS } from '../model/example.js';
import * as modelFormats from '../model/format.js';
import { SyncService } from '../model/service.js';
import { Source as ModelSource } from '../model/source.js';
import { Connector } from '../service/connector.js';
import { Convex } from '../service/convex.js';
import { Program } from '../service/program.js';
import { Source } from '../service/source.js';
import { SECRET } from '../service/token.js';
import { BSON, NDJSON, Wire } from '../service/wire.js';

/** The SDK would send requests through a proxy that the environment names. */
process.env.NO_PROXY = process.env.no_proxy = '127.0.0.1';

/** Clients that a test opens, in a directory of its own. */
class Stage {
  #clients = [];

  /** Opens a client's database; `options` are those of `Client`, and `device` for another than the first. */
  async open({ device = 'client', user = 'user', ...options } = {}) {
    const file = join(this.directory, `${device}.db`);
    const client = new Client(this.connector(user), file, { schema: this.schema, ...options });
    this.#clients.push(client);
    await client.db.waitForReady();
    return client;
  }

  /** Runs a test, then closes everything. After a failure nothing more is checked. */
  async run(body) {
    this.directory = await mkdtemp(join(tmpdir(), 'powersync-node-'));
    try {
      await this.setUp();
      await body(this);
      for (const client of this.#clients) await client.close();
      await this.check();
    } finally {
      await Promise.all(this.#clients.map((client) => client.abandon()));
      await this.tearDown();
      await rm(this.directory, { recursive: true });
    }
  }
}

/** With the program `rowtide` on an SQLite file. */
class ServiceStage extends Stage {
  constructor({ config = CONFIG, writes = WRITES, seed = SEED, tables = TABLES }, format) {
    super();
    this.files = { config, writes, seed };
    this.format = format;
    this.schema = new Schema(tables);
  }

  async setUp() {
    const { config, writes, seed } = this.files;
    await writeFile(join(this.directory, 'sync.yaml'), config);
    await writeFile(join(this.directory, 'writes.yaml'), writes);
    const { url, variables } = await this.openSource(seed);
    const files = ['--config', 'sync.yaml', '--writes', 'writes.yaml', '--source', url];
    const more = ['--storage', 'sqlite:storage.db', '--jwt-secret', SECRET, '--log', 'warn'];
    this.program = new Program(this.directory, ['serve', ...files, ...more], variables);
    await this.program.start();
    /** What clients connect to. */
    this.service = this.format === undefined ? this.program : new Wire(this.program, this.format);
    await this.service.listen?.();
  }

  /** Opens the source, which this process changes and the program follows. */
  async openSource(seed) {
    this.source = new Source(join(this.directory, 'source.db'), seed);
    return { url: this.source.url };
  }

  connector(user) {
    return new Connector(this.service, user);
  }

  /** Gives the service another configuration; `outcome` is what it says about it. */
  async deploy(config, outcome = 'sync.yaml: deployed') {
    await writeFile(join(this.directory, 'sync.yaml'), config);
    const start = this.program.printed;
    this.program.signal('SIGHUP');
    await this.program.prints(outcome, start);
  }

  async check() {
    await this.program.stop();
  }

  async tearDown() {
    if (this.service instanceof Wire) await this.service.close();
    await this.program?.kill();
    this.source?.close();
  }
}

/** With the program `rowtide` on a Convex deployment. */
class ConvexStage extends ServiceStage {
  async openSource() {
    this.convex = new Convex();
    await this.convex.start();
    return { url: this.convex.url, variables: { CONVEX_DEPLOY_KEY: this.convex.key } };
  }

  async tearDown() {
    await super.tearDown();
    await this.convex?.close();
  }
}

/** With the model of a service. */
class ModelStage extends Stage {
  #companions = [];

  constructor({ streams = STREAMS, routing = ROUTING, tables = TABLES }, format) {
    super();
    this.service = new SyncService(streams, format);
    this.source = new ModelSource(this.service, routing);
    this.schema = new Schema(tables);
  }

  setUp() {
    return this.service.listen();
  }

  connector() {
    return new ModelConnector(this.service);
  }

  /** Starts another process that opens the client's database. */
  async fork() {
    const companion = new Companion(this.service, this.source, join(this.directory, 'client.db'));
    this.#companions.push(companion);
    await companion.ready();
    return companion;
  }

  async check() {}

  async tearDown() {
    this.#companions.forEach((companion) => companion.abandon());
    await this.service.close();
  }
}

function define(name, { ours }, makeStage, body) {
  const skip = ours !== undefined && !library.isOurs && `not in the published library: ${ours}`;
  test(name, { skip }, () => makeStage().run(body));
}

/**
 * Defines a test with the real service. `options` may change its files (`config`, `writes`, `seed`) and the schema
 * (`tables`), and say that the published library fails, `ours`: with the reason, for what we do better on purpose.
 * With `convex`, source and database of uploads are a Convex deployment, `stage.convex`.
 * With `direct`, BSON lines come without the wire in between, and compressed; `stage.service` then is the program. `formats`
 * are others than these two; `undefined` is without the wire.
 *
 * @param {(stage: ServiceStage) => Promise<void>} body
 */
export function scenario(name, options, body) {
  const { formats = options.direct ? [undefined, NDJSON] : [BSON, NDJSON] } = options;
  for (const format of formats) {
    const ThisStage = options.convex ? ConvexStage : ServiceStage;
    define(`${name} (${format?.name ?? 'direct'})`, options, () => new ThisStage(options, format), body);
  }
}

/**
 * Defines a test with the model, for what a real service does not do. `options` are those of `scenario`, but the service
 * has `streams` and `routing`.
 *
 * @param {(stage: ModelStage) => Promise<void>} body
 */
export function modelled(name, options, body) {
  for (const format of [modelFormats.BSON, modelFormats.NDJSON]) {
    define(`${name} (${format.name}, model)`, options, () => new ModelStage(options, format), body);
  }
}
