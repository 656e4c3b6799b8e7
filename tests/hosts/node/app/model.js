// The example that most tests use: lists that everyone gets, and their todos, which a client asks for list by list.

import { column, Table } from '@powersync/common';

/** Bucket names of the streams below. */
export const LISTS = '1#lists|0[]';
export const todosOf = (list) => `1#todos|0[${JSON.stringify(list)}]`;

/** All lists for everyone, and todos for those who subscribe to them by list. */
export const STREAMS = {
  lists: { isDefault: true, buckets: () => [LISTS] },
  todos: { buckets: ({ list }) => [todosOf(list)] }
};

export const ROUTING = { lists: () => LISTS, todos: ({ list_id: list }) => todosOf(list) };

export const TABLES = {
  lists: new Table({ name: column.text, rank: column.integer }),
  todos: new Table({ list_id: column.text, title: column.text, done: column.integer }, { indexes: { by_list: ['list_id'] } })
};
