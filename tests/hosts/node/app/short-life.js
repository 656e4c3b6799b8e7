// A whole application: opens a database, syncs once from the service whose address it is given, prints the lists, closes
// the database, and should then end by itself.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Schema } from '@powersync/common';
import { Connector } from '../service/connector.js';
import { Client } from './client.js';
import { TABLES } from './example.js';

const directory = await mkdtemp(join(tmpdir(), 'powersync-node-'));
const client = new Client(new Connector({ url: process.argv[2] }, 'user'), join(directory, 'client.db'), {
  schema: new Schema(TABLES)
});
await client.sync();
console.log(JSON.stringify(await client.rows('SELECT name FROM lists')));
await client.close();
await rm(directory, { recursive: true });
