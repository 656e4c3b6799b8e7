// Data that do not match their checksum: never shown, thrown away, and downloaded again.

import assert from 'node:assert/strict';
import { LISTS } from '../model/example.js';
import { within } from '../app/promises.js';
import { modelled } from '../app/scenario.js';

const NAMES = 'SELECT name FROM lists ORDER BY id';

/** A data line in which the first operation was damaged on its way. */
function damage(line) {
  const [first, ...others] = line.data.data;
  return { data: { ...line.data, data: [{ ...first, checksum: (first.checksum + 1) >>> 0 }, ...others] } };
}

const isData = (line) => line.data !== undefined;

modelled('at the first sync', {}, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  service.change(isData, damage);
  const again = service.hold((line) => line.checkpoint !== undefined && service.streamCount === 2);
  const client = await stage.open();
  const warning = client.logged(({ message }) => message.includes(LISTS), 'a log record that names the bucket');
  await client.connect();
  const second = await within(again.reached, 'the next connection');
  await warning;
  assert.deepEqual(second.request.buckets, []);
  assert.deepEqual(await client.rows('SELECT * FROM lists'), []);
  assert.equal(client.db.currentStatus.hasSynced, false);
  again.release();
  await client.status((status) => status.hasSynced, 'the first sync');
  assert.deepEqual(await client.rows(NAMES), [{ name: 'Groceries' }]);
});

modelled('later: what was shown stays until the repair', {}, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('lists', 'l2', { name: 'Garden' });
  const client = await stage.open();
  await client.sync();

  const again = service.hold((line) => line.checkpoint !== undefined);
  const shown = client.shows(NAMES, [{ name: 'Shopping' }]);
  service.change(isData, damage);
  source.transaction(() => {
    source.patch('lists', 'l1', { name: 'Shopping' });
    source.delete('lists', 'l2');
  });
  const second = await within(again.reached, 'the next connection');
  assert.deepEqual(second.request.buckets, []);
  assert.deepEqual(await client.rows(NAMES), [{ name: 'Groceries' }, { name: 'Garden' }]);
  again.release();
  const states = await shown;
  const expected = [[{ name: 'Groceries' }, { name: 'Garden' }], [{ name: 'Shopping' }]];
  assert.deepEqual(states.slice(-2), expected);
  assert.ok(states.every((rows) => rows.length > 0), JSON.stringify(states));
});

const priorities = {
  streams: {
    urgent: { isDefault: true, priority: 1, buckets: () => ['1#urgent|0[]'] },
    bulk: { isDefault: true, priority: 3, buckets: () => ['1#bulk|0[]'] }
  },
  routing: { lists: () => '1#urgent|0[]', todos: () => '1#bulk|0[]' }
};
modelled('of one priority: the bucket alone is downloaded again', priorities, async (stage) => {
  const { service, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('todos', 't1', { title: 'Milk' });
  service.change((line) => line.data?.bucket === '1#bulk|0[]', damage);
  const client = await stage.open();
  await client.connect();
  await client.status((status) => status.hasSynced, 'the first sync');
  const second = await service.stream(2);
  assert.deepEqual(second.request.buckets, [{ name: '1#urgent|0[]', after: '2' }]);
  assert.deepEqual(second.operations.map(({ object_type: type }) => type), ['todos']);
  assert.deepEqual(await client.rows('SELECT title FROM todos'), [{ title: 'Milk' }]);
});
