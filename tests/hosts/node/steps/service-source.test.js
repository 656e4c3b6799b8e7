// What people do to the source database while clients are connected to the real service.

import assert from 'node:assert/strict';
import { column, Table } from '@powersync/common';
import { TABLES } from '../app/example.js';
import { scenario } from '../app/scenario.js';

const NAMES = 'SELECT id, name FROM lists ORDER BY id';

scenario('a row gets another id, another replaces one, and one goes and comes back at once', { direct: true }, async (stage) => {
  const { program, source } = stage;
  for (const [id, name] of [['l1', 'Groceries'], ['l2', 'Garden'], ['l3', 'Travel']]) source.put('lists', id, { name });
  const client = await stage.open();
  await client.sync();
  source.execute("UPDATE lists SET id = 'l9' WHERE id = 'l1'");
  await client.shows(NAMES, [{ id: 'l2', name: 'Garden' }, { id: 'l3', name: 'Travel' }, { id: 'l9', name: 'Groceries' }]);
  source.transaction(() => {
    source.delete('lists', 'l2');
    source.put('lists', 'l2', { name: 'Park' });
    source.put('lists', 'l3', { name: 'Holidays' });
    source.put('lists', 'l4', { name: 'never seen' });
    source.delete('lists', 'l4');
  });
  const states = await client.shows(NAMES, [{ id: 'l2', name: 'Park' }, { id: 'l3', name: 'Holidays' }, { id: 'l9', name: 'Groceries' }]);
  assert.ok(states.every((rows) => rows.length === 3), JSON.stringify(states));
  assert.equal((await program.status()).counters.connections_opened, 1);
});

const migrated = {
  direct: true,
  tables: { ...TABLES, lists: new Table({ name: column.text, rank: column.integer, colour: column.text }) }
};
scenario('its schema is migrated: a column more, a table made anew, a vacuum', migrated, async (stage) => {
  const { program, source } = stage;
  source.put('lists', 'l1', { name: 'Groceries' });
  source.put('lists', 'l2', { name: 'Garden' });
  const client = await stage.open();
  await client.sync();

  const colours = 'SELECT id, colour FROM lists ORDER BY id';
  source.execute("ALTER TABLE lists ADD COLUMN colour TEXT DEFAULT 'green'");
  source.patch('lists', 'l1', { colour: 'red' });
  await client.shows(colours, [{ id: 'l1', colour: 'red' }, { id: 'l2', colour: 'green' }]);

  source.execute(`BEGIN;
    CREATE TABLE newer (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, colour TEXT);
    INSERT INTO newer SELECT id, name || '!', colour FROM lists;
    DROP TABLE lists;
    ALTER TABLE newer RENAME TO lists;
    COMMIT;`);
  await client.shows(NAMES, [{ id: 'l1', name: 'Groceries!' }, { id: 'l2', name: 'Garden!' }]);

  source.execute('VACUUM');
  source.delete('lists', 'l1');
  source.put('lists', 'l3', { name: 'Travel' });
  await client.shows(NAMES, [{ id: 'l2', name: 'Garden!' }, { id: 'l3', name: 'Travel' }]);
  await client.db.execute("UPDATE lists SET name = 'Mine', colour = 'blue' WHERE id = 'l2'");
  await client.uploaded();
  assert.deepEqual(client.connector.refused, []);
  assert.deepEqual(source.table('lists').get('l2'), { id: 'l2', name: 'Mine', colour: 'blue' });
  assert.deepEqual((await program.status()).problems, []);
});
