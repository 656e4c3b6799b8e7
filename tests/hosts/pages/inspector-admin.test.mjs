// The inspector where it changes the service: refused writes, configurations and faults; and who may see it.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Program } from '../node/service/program.js';
import { startBrowser, startDev } from './harness.mjs';
import { connect, refuse, well } from './inspector.mjs';

const ROWS = 6_000;

const CONFIG = `config: {edition: 3}
streams:
  items:
    auto_subscribe: true
    query: SELECT * FROM items WHERE rank < 10
`;

const SEED = `CREATE TABLE items (id TEXT PRIMARY KEY NOT NULL, name TEXT, rank INTEGER);
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${ROWS})
INSERT INTO items SELECT 'item-' || n, 'Item ' || n, n FROM numbers;`;

/** A service that is not for development. */
async function startServe(variables) {
  const directory = await mkdtemp(join(tmpdir(), 'rowtide-serve-'));
  await writeFile(join(directory, 'sync.yaml'), CONFIG);
  await writeFile(join(directory, 'seed.sql'), 'CREATE TABLE items (id TEXT PRIMARY KEY NOT NULL, name TEXT, rank INTEGER);');
  const args = ['serve', '--config', 'sync.yaml', '--ephemeral', '--seed', 'seed.sql', '--jwt-secret', 'MDEyMzQ1Njc4OWFiY2RlZg'];
  const program = new Program(directory, args, { ...variables, TMPDIR: directory });
  program.end = async () => {
    await program.kill();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  await program.start();
  return program;
}

let browser;
before(async () => (browser = await startBrowser()));
after(() => browser?.close());

describe('the inspector changes the service', { concurrency: false }, () => {
  let dev;

  before(async () => {
    const files = { 'sync.yaml': CONFIG, 'seed.sql': SEED };
    const large = { files, args: ['sync.yaml', '--seed', 'seed.sql', '--user', 'alice'] };
    dev = await startDev(large);
  });

  after(() => dev?.end());

  test('a configuration with a mistake shows its line, and cannot be deployed', async () => {
    const page = await browser.page();
    await page.open(`${dev.url}/inspect#config`);
    await page.see('no mistakes');
    await page.click('textbox', 'Configuration, as YAML');
    await page.press('Control+End');
    await page.type('  wrong:');
    // Enter keeps the indentation, and adds to it after a colon.
    await page.press('Enter');
    await page.type('query: SELECT * FROM items WHERE rank = AND');
    await page.see('1 error');
    await page.see('Line 7');
    assert.equal(await page.evaluate("document.querySelector('.line-numbers .error').textContent"), '7');
    await page.findIn('button', 'Deploy…', { disabled: true });
    await well(page);
    await page.click('button', 'Line 7');
    const line = await page.evaluate("(() => { const area = document.activeElement; return area.value.slice(0, area.selectionStart).split('\\n').length; })()");
    assert.equal(line, 7, 'the cursor is there');
    await page.click('button', 'Undo changes');
    await page.see('no mistakes');
    await page.close();
  });

  test('a deploy says what it will do, shows how far it is, and ends', async () => {
    const alice = await connect(dev, 'alice');
    const page = await browser.page();
    await page.open(`${dev.url}/inspect#config`);
    await page.see('number 1 is active');
    await page.click('textbox', 'Configuration, as YAML');
    await page.press('Control+End');
    await page.type('  all_items:');
    await page.press('Enter');
    await page.type('auto_subscribe: true');
    await page.press('Enter');
    await page.type('query: SELECT * FROM items WHERE rank >= 0');
    await page.see('changed, not deployed');
    await page.click('button', 'Deploy…');
    await page.find('dialog', 'Deploy this configuration?');
    await page.see(`To be read: items (about ${ROWS.toLocaleString('en')} rows).`);
    await page.see('1 connected client together keep 1 bucket, remove 0 and download 1.');
    await page.see('query: SELECT * FROM items WHERE rank >= 0');
    await well(page);
    await page.click('button', 'Deploy');
    await page.see('Configuration 2 is being built');
    await page.find('progressbar', 'Rows read');
    await page.see('Configuration 2 is active.');
    await page.see('number 2 is active');
    await alice.gets(`item-${ROWS}`);
    alice.close();
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('tables come in pages', async () => {
    const page = await browser.page();
    await page.open(`${dev.url}/inspect#source/items`);
    await page.see(`Rows 1 to 50 of about ${ROWS.toLocaleString('en')}`);
    await page.click('button', 'Later');
    await page.see('Rows 51 to 100');
    await page.click('button', 'Earlier');
    await page.see('Rows 1 to 50');
    await page.fill('searchbox', 'Filter', 'Item 599');
    await page.see('11 rows');
    const definitions = (await dev.ask('/api/admin/v1/buckets')).definitions;
    const largest = definitions.find(({ streams }) => streams.includes('all_items')).id;
    await page.open('about:blank');
    await page.open(`${dev.url}/inspect#buckets/${largest}/%5B%5D`);
    await page.see(`${ROWS.toLocaleString('en')} operations in all`);
    const newest = () => [...document.querySelectorAll('#buckets tbody td')].find((cell) => cell.checkVisibility())?.textContent;
    const first = await page.call(newest);
    await page.click('button', 'Older');
    await page.until(async () => (await page.call(newest)) !== first, 'older operations');
    await page.click('button', 'Newer');
    await page.until(async () => (await page.call(newest)) === first, 'the newest operations');
    await page.findIn('button', 'Newer', { disabled: true });
    await page.close();
  });

  test('a service without write rules says so', async () => {
    const page = await browser.page();
    await page.open(`${dev.url}/inspect#writes`);
    await page.see('This service takes no writes. Start it with --writes');
    await well(page);
    await page.close();
  });
});

describe('refused writes and faults', { concurrency: false }, () => {
  let dev;
  before(async () => (dev = await startDev()));
  after(() => dev?.end());

  test('a refused transaction is shown, replayed and discarded', async () => {
    await refuse(dev);
    const page = await browser.page();
    await page.open(`${dev.url}/inspect#writes`);
    await page.see('The user may not PATCH this row of the table lists.');
    await page.click('button', 'Show 1');
    await page.see('"name": "Mine"');
    await page.click('button', 'Replay 1');
    await page.find('dialog', 'Replay transaction 1?');
    await page.click('button', 'Replay');
    await page.see('It was refused again');
    await page.click('button', 'Cancel');
    await dev.ask('/dev/rows', { table: 'lists', op: 'update', key: { id: 'list-garden' }, values: { owner_id: 'alice' } });
    await page.click('button', 'Replay 1');
    await page.click('button', 'Replay');
    await page.see('There is none in this state.');
    await page.see('replayed from 1');
    assert.ok(JSON.stringify(await dev.ask('/api/admin/v1/rows?table=lists')).includes('"Mine"'));

    await dev.ask('/dev/rows', { table: 'lists', op: 'update', key: { id: 'list-garden' }, values: { owner_id: 'bob' } });
    const { status } = await refuse(dev, 4);
    assert.equal(status, 'fatal_error');
    await page.click('button', 'Discard 2');
    await page.fill('textbox', 'Note, for those who look later', 'a mistake');
    await well(page);
    await page.click('button', 'Discard');
    await page.see('There is none in this state.');
    const letters = await dev.ask('/api/admin/v1/dead-letters');
    assert.deepEqual(letters.dead_letters.map(({ state, note }) => [state, note]), [['discarded', 'a mistake'], ['replayed', null]]);
    await page.close();
  });

  test('faults are switched on and off, and stay as they are after a reload', async () => {
    const page = await browser.page();
    const client = await connect(dev, 'alice');
    await page.open(`${dev.url}/inspect#faults`);
    await page.click('button', 'Cut streams in the middle of a line');
    await page.see('Done, to 1 stream.');
    await client.done;
    await page.click('switch', 'Uploads fail');
    await page.findIn('switch', 'Uploads fail', { checked: 'true' });
    await page.until(async () => (await dev.ask('/dev/faults')).uploads_fail, 'the fault');
    await page.reload();
    await page.findIn('switch', 'Uploads fail', { checked: 'true' });
    await page.click('button', 'Switch all off');
    await page.findIn('switch', 'Uploads fail', { checked: 'false' });
    assert.equal((await dev.ask('/dev/faults')).uploads_fail, false);
    await page.click('button', 'Let tokens expire');
    await page.see('No stream is open, so nobody noticed.');
    await page.close();
  });
});

describe('the inspector of a service that is not for development', { concurrency: false }, () => {
  test('asks for the admin token, and says if it is another one', async () => {
    const serve = await startServe();
    try {
      const page = await browser.page();
      await page.open(`${serve.url}/`);
      assert.ok((await page.address()).endsWith('/inspect'), 'the start of a service leads to its inspector');
      await page.see('Open the inspector');
      await well(page);
      assert.deepEqual(await page.all('link', 'Playground'), []);
      await page.fill('textbox', 'Admin token', 'another-token');
      await page.press('Enter');
      await page.see('That is not it. The admin token is another one.');
      await well(page);
      await page.fill('textbox', 'Admin token', 'admin-of-tests');
      await page.click('button', 'Open the inspector');
      await page.see('Everything is well');
      await page.reload();
      await page.see('Everything is well');
      assert.deepEqual(await page.all('link', 'Faults'), []);
      await page.click('link', 'Source');
      await page.see('The table has no rows.');
      assert.deepEqual(await page.all('button', 'Insert a row'), []);
      await page.click('button', 'Forget the admin token');
      await page.see('Open the inspector');
      await page.close();
    } finally {
      await serve.end();
    }
  });

  test('says how to start a service that has none', async () => {
    const serve = await startServe({ ROWTIDE_ADMIN_TOKEN: undefined });
    try {
      const page = await browser.page();
      await page.open(`${serve.url}/inspect#clients`);
      await page.see('This service has no admin token');
      await page.see('ROWTIDE_ADMIN_TOKEN=');
      await well(page);
      await page.close();
    } finally {
      await serve.end();
    }
  });
});
