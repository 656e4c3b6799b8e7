// What the tests and pictures of the inspector do to a service besides using the page: clients that are connected, and writes.
import assert from 'node:assert/strict';
import { accessible } from './harness.mjs';

/** Opens a sync stream and reads it until it is closed: a client that is connected. */
export async function connect(dev, user, subscriptions = []) {
  const stop = new AbortController();
  const headers = { authorization: `Bearer ${await dev.token(user)}`, 'content-type': 'application/json', 'user-agent': 'inspector-tests/1' };
  const body = JSON.stringify({ client_id: `phone-of-${user}`, raw_data: true, streams: { include_defaults: true, subscriptions } });
  const response = await fetch(`${dev.url}/sync/stream`, { method: 'POST', headers, body, signal: stop.signal });
  assert.equal(response.status, 200);
  return new Connected(response.body.pipeThrough(new TextDecoderStream()), stop);
}

class Connected {
  #text = '';
  #waiting = [];

  constructor(stream, stop) {
    this.stop = stop;
    this.done = this.#read(stream).catch(() => {});
  }

  async #read(stream) {
    for await (const text of stream) {
      this.#text += text;
      for (const look of this.#waiting.splice(0)) look();
    }
  }

  /** Waits until a text has come. */
  async gets(text) {
    while (!this.#text.includes(text)) await new Promise((resolve) => this.#waiting.push(resolve));
  }

  close() {
    this.stop.abort();
  }
}

/** Uploads a transaction as a user; gives its result. */
export async function upload(dev, user, crud, id = 1) {
  const headers = { authorization: `Bearer ${await dev.token(user)}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ client_id: `phone-of-${user}`, queue: 'q', transactions: [{ transaction_id: id, crud }] });
  const response = await fetch(`${dev.url}/api/data`, { method: 'POST', headers, body });
  return (await response.json()).results[0];
}

/** Some writes that are applied. */
export async function seedEverything(dev) {
  const put = (id, description) => ({ op: 'PUT', table: 'todos', id, op_data: { list_id: 'list-groceries', description, done: 0, created_at: '2026-01-05 08:05:00' } });
  await upload(dev, 'alice', [put('todo-8', 'Olives'), put('todo-9', 'Two kinds of cheese, one of them from the market if it is open')], 1);
  await upload(dev, 'alice', [{ op: 'PATCH', table: 'todos', id: 'todo-1', op_data: { done: 1 } }], 2);
}

/** A write that is refused: the list is somebody else's. */
export function refuse(dev, id = 3) {
  return upload(dev, 'alice', [{ op: 'PATCH', table: 'lists', id: 'list-garden', op_data: { name: 'Mine' } }], id);
}

/** Fails if something is wrong with the page. The browser logs each refused request as an error, which is none of the page. */
export function well(page) {
  page.problems = page.problems.filter((problem) => !/status of 4\d\d/.test(problem));
  return accessible(page);
}
