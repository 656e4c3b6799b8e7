// The example that most tests use: lists that everyone gets, and their todos, which a client asks for list by list.

import { column, Table } from '@powersync/common';

/** The tables of the client. */
export const TABLES = {
  lists: new Table({ name: column.text, rank: column.integer }),
  todos: new Table({ list_id: column.text, title: column.text, done: column.integer }, { indexes: { by_list: ['list_id'] } })
};

/** The tables of the source. */
export const SEED = `
CREATE TABLE lists (id TEXT PRIMARY KEY NOT NULL, name TEXT, rank INTEGER);
CREATE TABLE todos (id TEXT PRIMARY KEY NOT NULL, list_id TEXT, title TEXT, done INTEGER);`;

const LISTS = `
  lists:
    auto_subscribe: true
    query: SELECT * FROM lists`;

/** All lists for everyone, and todos for those who subscribe to them by list. */
export const CONFIG = `config: {edition: 3}
streams:${LISTS}
  todos:
    accept_potentially_dangerous_queries: true
    query: SELECT * FROM todos WHERE list_id = subscription.parameter('list')
`;

/** Lists and todos for everyone. */
export const ALL = `config: {edition: 3}
streams:${LISTS}
  todos:
    auto_subscribe: true
    query: SELECT * FROM todos
`;

/** What clients may write: everything. */
export const WRITES = 'writes: {default: allow}\n';

/** More rows than come in one line: 1000 do. */
export const MANY = 2500;

/** Fills the lists with many rows. */
export function fillWithMany(source) {
  source.transaction(() => {
    for (let i = 1; i <= MANY; i++) source.put('lists', `l${i}`, { name: `List ${i}`, rank: i });
  });
}

/** Holds back the second of the lines with data. */
export function holdSecondLine(service) {
  let lines = 0;
  return service.hold((line) => line.data !== undefined && ++lines === 2);
}

/** Waits until the first line with data has arrived. */
export const firstLineOf = (client) =>
  client.status((status) => status.downloadProgress?.downloadedOperations === 1000, 'the first line of data');
