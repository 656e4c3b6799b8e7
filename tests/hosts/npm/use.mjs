// Syncs and writes with the installed npm package: `node use.mjs better-sqlite3|node:sqlite`. For the first,
// POWERSYNC_BETTER_SQLITE3 names a directory in whose `node_modules` better-sqlite3 is installed.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { getLoadablePath, load } from 'powersync-sqlite-core';

async function openDatabase(kind) {
  if (kind === 'node:sqlite') {
    const { DatabaseSync } = await import('node:sqlite');
    return new DatabaseSync(':memory:', { allowExtension: true });
  }
  const require = createRequire(join(process.env.POWERSYNC_BETTER_SQLITE3, 'package.json'));
  return new (require('better-sqlite3'))(':memory:');
}

assert.ok(getLoadablePath().startsWith(join(process.cwd(), 'node_modules')), getLoadablePath());
assert.throws(() => load({}), TypeError);

const db = await openDatabase(process.argv[2]);
load(db);
load(db);

function inTransaction(sql, ...parameters) {
  db.exec('BEGIN');
  const row = db.prepare(sql).get(...parameters);
  db.exec('COMMIT');
  return row;
}

const control = (operation, payload) =>
  JSON.parse(inTransaction('SELECT powersync_control(?, ?) AS instructions', operation, payload).instructions);

const schema = { tables: [{ name: 'lists', columns: [{ name: 'name', type: 'text' }] }] };
inTransaction('SELECT powersync_replace_schema(?)', JSON.stringify(schema));
control('start', null);
const data = JSON.stringify({ id: 'l1', name: 'Groceries' });
const operation = { op_id: '1', op: 'PUT', object_type: 'lists', object_id: 'l1', data, checksum: 10 };
const bucket = { bucket: 'lists[]', checksum: 10, count: 1, priority: 3 };
const lines = [
  { checkpoint: { last_op_id: '1', buckets: [bucket] } },
  { data: { bucket: 'lists[]', data: [operation] } },
  { checkpoint_complete: { last_op_id: '1' } },
];
const instructions = lines.map((line) => control('line_text', JSON.stringify(line))).at(-1);
assert.ok(instructions.some((instruction) => 'DidCompleteSync' in instruction), JSON.stringify(instructions));
assert.deepEqual({ ...db.prepare('SELECT id, name FROM lists').get() }, { id: 'l1', name: 'Groceries' });

db.exec("UPDATE lists SET name = 'Shopping' WHERE id = 'l1'");
const { data: entry } = db.prepare('SELECT data FROM ps_crud').get();
assert.deepEqual(JSON.parse(entry), { op: 'PATCH', id: 'l1', type: 'lists', data: { name: 'Shopping' } });
db.close();
console.log(`${process.argv[2]}: synced, then queued ${entry}`);
