// Several processes with the SDK on one database file, all connected: they share the work, and none ends another's stream.

import assert from 'node:assert/strict';
import { within } from '../app/promises.js';
import { modelled } from '../app/scenario.js';

const ROWS = 3000;
const HEARTBEATS = 10;
const CHANGES = 5;

/** Counts rows that are written to the application's table, whoever does it. */
const COUNT_PUBLISHED = [
  'CREATE TABLE published (id TEXT)',
  'CREATE TRIGGER inserted AFTER INSERT ON ps_data__lists BEGIN INSERT INTO published VALUES (NEW.id); END',
  'CREATE TRIGGER updated AFTER UPDATE ON ps_data__lists BEGIN INSERT INTO published VALUES (NEW.id); END'
];

/** Whether nothing waits for its upload, and the service has acknowledged all that was uploaded. */
const ACKNOWLEDGED = `SELECT NOT EXISTS (SELECT 1 FROM ps_crud) AND
  (SELECT CAST(value AS INTEGER) FROM ps_kv WHERE key = 'last_applied_checkpoint_request_id') >=
  (SELECT CAST(value AS INTEGER) FROM ps_kv WHERE key = 'target_checkpoint_request_id') AS acknowledged`;

const ours = 'there each start ends the iterations of all other connections';

for (const latency of [0, 150]) {
  modelled(`two processes, ${latency} ms from the service`, { ours }, async (stage) => {
    const { service, source } = stage;
    service.latency = latency;
    service.operationsPerLine = 100;
    source.transaction(() => {
      for (let i = 0; i < ROWS; i++) source.put('lists', `l${i}`, { name: `List ${i}` });
    });
    const processes = await Promise.all([stage.fork(), stage.fork()]);
    const [first, second] = processes;
    for (const sql of COUNT_PUBLISHED) await first.ask('execute', sql);
    await Promise.all(processes.map((process) => process.ask('sync')));
    assert.equal(service.streamCount, 2, 'streams after the first sync');
    const streams = [await service.stream(1), await service.stream(2)];

    // With nothing happening, nothing is closed or opened.
    const calls = async () => (await Promise.all(processes.map((process) => process.ask('calls', 0)))).map((all) => all.length);
    let before = await calls();
    for (let i = 1; i <= HEARTBEATS; i++) {
      await Promise.all(streams.map((stream) => stream.keepAlive()));
      await Promise.all(processes.map((process, index) => process.ask('calls', before[index] + i)));
    }
    const made = await Promise.all(processes.map((process, index) => process.ask('calls', before[index] + HEARTBEATS)));
    const kinds = made.flat().flatMap(({ instructions }) => instructions.flatMap(Object.keys));
    assert.ok(!kinds.includes('CloseSyncStream'), 'an iteration ended');
    assert.equal(service.streamCount, 2, 'streams after heartbeats');

    for (let i = 0; i < CHANGES; i++) {
      source.put('lists', 'l0', { name: `Change ${i}` });
      const seen = (process) => process.ask('sees', "SELECT name FROM lists WHERE id = 'l0'", [{ name: `Change ${i}` }]);
      await Promise.all(processes.map(seen));
    }
    const [{ published }] = await second.ask('rows', 'SELECT count(*) AS published FROM published');
    assert.equal(published, ROWS + CHANGES, 'each change is published once');

    // What each writes arrives once, and both see it.
    for (const [index, process] of processes.entries()) {
      await process.ask('execute', `INSERT INTO lists (id, name) VALUES ('local${index}', 'Local')`);
      await process.ask('sees', ACKNOWLEDGED, [{ acknowledged: 1 }]);
    }
    const local = processes.flatMap(({ uploads }) => uploads).map(({ id }) => id);
    assert.deepEqual(local.sort(), ['local0', 'local1']);
    const count = [{ rows: ROWS + 2 }];
    await Promise.all(processes.map((process) => process.ask('sees', 'SELECT count(*) AS rows FROM lists', count)));

    assert.equal(service.streamCount, 2, 'streams in the end');
    for (const stream of streams) {
      assert.ok(stream.operations.length <= service.lastOpId, 'an operation was sent twice');
    }
    for (const process of processes) assert.deepEqual(await process.close(), [], 'errors that the SDK logged');
    // Whoever opens it afterwards finds everything there.
    service.latency = 0;
    const after = await stage.open();
    await after.sync();
    const last = await within(service.stream(3), 'a third stream');
    assert.equal(last.operations.length, 0);
  });
}
