// The example of `app/example.js` as the model knows it.

/** Bucket names of the streams below. */
export const LISTS = '1#lists|0[]';
export const todosOf = (list) => `1#todos|0[${JSON.stringify(list)}]`;

/** All lists for everyone, and todos for those who subscribe to them by list. */
export const STREAMS = {
  lists: { isDefault: true, buckets: () => [LISTS] },
  todos: { buckets: ({ list }) => [todosOf(list)] }
};

export const ROUTING = { lists: () => LISTS, todos: ({ list_id: list }) => todosOf(list) };
