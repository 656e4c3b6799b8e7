// An application changes to our library with its next release, and back: its database goes on as it is.

import assert from 'node:assert/strict';
import { fillWithMany, firstLineOf, holdSecondLine, MANY } from '../app/example.js';
import { published } from '../app/library.js';
import { within } from '../app/promises.js';
import { scenario } from '../app/scenario.js';

const NAMES = 'SELECT id, name FROM lists ORDER BY id';

scenario('from the published library and back, without downloading anything again', {}, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('lists', 'l2', { name: 'Garden' });
  const before = await stage.open({ path: published });
  await before.sync();
  const clientId = await before.db.getClientId();
  const { lastSyncedAt } = before.db.currentStatus;
  await before.close();

  const during = await stage.open();
  assert.deepEqual(during.db.currentStatus.lastSyncedAt, lastSyncedAt);
  assert.equal(await during.db.getClientId(), clientId);
  assert.deepEqual(await during.rows(NAMES), [
    { id: 'l1', name: 'Groceries' },
    { id: 'l2', name: 'Garden' }
  ]);
  source.delete('lists', 'l1');
  await during.connect();
  await during.shows(NAMES, [{ id: 'l2', name: 'Garden' }]);
  await during.db.execute("INSERT INTO lists (id, name) VALUES ('l3', 'Travel')");
  await during.uploaded();
  await during.close();

  const after = await stage.open({ path: published });
  assert.deepEqual(await after.rows(NAMES), [
    { id: 'l2', name: 'Garden' },
    { id: 'l3', name: 'Travel' }
  ]);
  source.delete('lists', 'l2');
  await after.connect();
  await after.shows(NAMES, [{ id: 'l3', name: 'Travel' }]);
  await after.db.execute("UPDATE lists SET name = 'Holidays'");
  await after.uploaded();

  const buckets = (await service.stream(1)).buckets();
  for (let number = 1; number <= 3; number++) {
    const { request, operations } = await service.stream(number);
    assert.deepEqual(request.buckets.map(({ name }) => name), number === 1 ? [] : buckets);
    const ids = operations.map(({ op_id: id }) => Number(id));
    const after = Number(request.buckets[0]?.after ?? 0);
    assert.ok(ids.every((id) => id > after), String([after, ids]));
  }
  assert.equal(service.streamCount, 3);
  assert.deepEqual([...source.table('lists').values()], [{ id: 'l3', name: 'Holidays', rank: null }]);
});

scenario('with writes that wait for their upload, and a download that is not complete', {}, async (stage) => {
  const { service, source } = stage;
  fillWithMany(source);
  const libraries = [published, undefined, published];
  for (const [index, path] of libraries.entries()) {
    const id = `w${index}`;
    const expected = libraries.slice(0, index).map((_, earlier) => ({ id: `w${earlier}`, name: 'waits' }));
    const client = await stage.open({ path });
    assert.deepEqual(await client.rows(NAMES), expected);
    await client.db.execute("INSERT INTO lists (id, name) VALUES (?, 'waits')", [id]);
    if (index === 0) {
      client.connector.beforeUpload = () => Promise.reject(new Error('no upload yet'));
      const cut = holdSecondLine(service);
      await client.connect();
      await within(cut.reached, 'the second line of data');
      await firstLineOf(client);
    }
    await client.close();
  }

  const last = await stage.open();
  await last.connect();
  await last.uploaded();
  assert.deepEqual(last.connector.uploads.flat().map(({ id }) => id), ['w0', 'w1', 'w2']);
  const [{ data }] = (await service.stream(1)).lines.filter((line) => line.data !== undefined);
  assert.deepEqual((await service.stream(2)).request.buckets, [{ name: data.bucket, after: data.next_after }]);
  await last.status((status) => status.hasSynced, 'the first sync');
  const waiting = ['w0', 'w1', 'w2'].map((id) => ({ id, name: 'waits' }));
  await last.shows("SELECT id, name FROM lists WHERE id LIKE 'w%' ORDER BY id", waiting);
  assert.deepEqual(await last.rows('SELECT count(*) AS rows FROM lists'), [{ rows: MANY + waiting.length }]);
});
