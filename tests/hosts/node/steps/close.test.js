// Closing: nothing stays open. Every scenario checks that its database workers end, that the file has no connection left
// and that it is sound; here are the cases that are special.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readlink } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fillWithMany, holdSecondLine, MANY } from '../app/example.js';
import { within } from '../app/promises.js';
import { scenario } from '../app/scenario.js';

/** Files of a database that this process has open; only Linux tells. */
async function openFiles(file) {
  if (process.platform !== 'linux') return [];
  const links = (await readdir('/proc/self/fd')).map((number) => readlink(`/proc/self/fd/${number}`).catch(() => ''));
  return (await Promise.all(links)).filter((path) => path.startsWith(file));
}

scenario('in the middle of a download', {}, async (stage) => {
  const { service, source } = stage;
  fillWithMany(source);
  const cut = holdSecondLine(service);
  const client = await stage.open();
  await client.connect();
  const stream = await within(cut.reached, 'the second line of data');
  await client.close();
  await within(stream.closed, 'the end of the connection');

  const again = await stage.open();
  assert.deepEqual(await again.rows('SELECT * FROM lists'), []);
  await again.sync();
  assert.deepEqual(await again.rows('SELECT count(*) AS rows FROM lists'), [{ rows: MANY }]);
});

scenario('while a write waits for its upload', {}, async (stage) => {
  const client = await stage.open();
  await client.sync();
  client.connector.beforeUpload = async () => {
    throw new Error('no upload today');
  };
  const failed = client.status((status) => status.uploadError !== undefined, 'the failure');
  await client.db.execute("INSERT INTO lists (id, name) VALUES ('l1', 'Groceries')");
  await failed;
  await client.close();

  const again = await stage.open();
  assert.deepEqual(await again.rows('SELECT id, name FROM lists'), [{ id: 'l1', name: 'Groceries' }]);
  await again.connect();
  await again.uploaded();
  assert.deepEqual([...stage.source.table('lists').keys()], ['l1']);
});

scenario('many times: no open file is left', {}, async (stage) => {
  stage.source.put('lists', 'l1', { name: 'Groceries' });
  let file;
  for (let i = 0; i < 5; i++) {
    const client = await stage.open();
    file = client.file;
    await client.sync();
    await client.db.execute('UPDATE lists SET rank = ?', [i]);
    await client.uploaded();
    if (process.platform === 'linux') assert.ok((await openFiles(file)).length > 0);
    await client.close();
    assert.deepEqual(await openFiles(file), []);
  }
});

scenario('and the process ends by itself', {}, async (stage) => {
  stage.source.put('lists', 'l1', { name: 'Groceries' });
  const program = fileURLToPath(new URL('../app/short-life.js', import.meta.url));
  const run = promisify(execFile)(process.execPath, [program, stage.service.url]);
  const { stdout, stderr } = await within(run, 'the end of the process');
  assert.deepEqual([stdout, stderr], ['[{"name":"Groceries"}]\n', '']);
});
