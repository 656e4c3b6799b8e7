// One of several processes of an application on one database file: does what its parent asks, and reports every
// instruction that the library gave. Uploads go to the parent, whose backend answers when it has taken them.

import { isDeepStrictEqual } from 'node:util';
import { Schema } from '@powersync/common';
import { Connector } from '../model/connector.js';
import { Client } from './client.js';
import { TABLES } from './example.js';
import { withResolvers } from './promises.js';

const [url, file, path] = process.argv.slice(2);
const client = new Client(new Connector({ url }), file, { schema: new Schema(TABLES), path });
const uploads = new Map();

client.connector.uploadData = async (database) => {
  for await (const transaction of database.getCrudTransactions()) {
    const taken = withResolvers();
    uploads.set(transaction.transactionId, taken);
    const entries = transaction.crud.map(({ op, table, id, opData }) => ({ op, table, id, opData }));
    process.send({ upload: transaction.transactionId, entries });
    await taken.promise;
    await transaction.complete();
  }
};

const commands = {
  sync: () => client.sync(),
  execute: (sql) => client.db.execute(sql).then(() => {}),
  rows: (sql) => client.rows(sql),
  /**
   * Waits until a query gives these rows. SQLite does not tell of what other processes write, so that watched queries
   * miss it: it is asked again after each call of the library.
   */
  sees: async (sql, expected) => {
    for (;;) {
      const next = client.logged(() => true, `${sql} should give ${JSON.stringify(expected)}`);
      if (isDeepStrictEqual(await client.rows(sql), expected)) return;
      await next;
    }
  },
  /** Waits until that many calls of the library were made in all, and gives the instructions of each. */
  calls: async (count) => {
    while (client.calls.length < count) await client.logged(() => true, `call ${count} of ${client.calls.length}`);
    return client.calls;
  },
  close: async () => {
    await client.db.close();
    return client.logs.filter(({ level, error }) => level >= 40 && error !== undefined).map(({ message }) => message);
  }
};

process.on('message', async ({ number, command, parameters, taken }) => {
  if (taken !== undefined) return uploads.get(taken).resolve();
  try {
    process.send({ number, result: await commands[command](...parameters) });
  } catch (error) {
    process.send({ number, error: String(error?.stack ?? error) });
  }
  if (command === 'close') process.disconnect();
});
await client.db.waitForReady();
process.send({ number: 0 });
