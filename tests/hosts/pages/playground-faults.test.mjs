// What the devices of the playground make of each fault that the development service can make on purpose.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { startBrowser, startDev } from './harness.mjs';
import { playground } from './playground.mjs';

/** So many lists, each with its own part of the stream, that a slow download can be seen. */
const LISTS = 12;
const ITEMS = 20;

const SEED = `
CREATE TABLE lists (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, owner_id TEXT NOT NULL);
CREATE TABLE todos (id TEXT PRIMARY KEY NOT NULL, list_id TEXT NOT NULL, description TEXT NOT NULL,
  done INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL DEFAULT (datetime('now')));
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${LISTS}) INSERT INTO lists SELECT 'list-' || n, 'List ' || n, 'bob' FROM n;
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${LISTS * ITEMS})
  INSERT INTO todos SELECT 'todo-' || n, 'list-' || (n % ${LISTS} + 1), 'Item ' || n, 0, '2026-01-01 08:00:00' FROM n;
INSERT INTO lists VALUES ('groceries', 'Groceries', 'alice');
INSERT INTO todos VALUES ('bread', 'groceries', 'Bread', 0, '2026-01-01 08:00:00');`;

let dev;
let browser;
let page;
let phone;
let laptop;
/** What is on the list of both, in all tests. */
const items = ['Bread'];

before(async () => {
  [dev, browser] = await Promise.all([startDev({ files: { 'seed.sql': SEED }, args: ['--seed', 'seed.sql'] }), startBrowser()]);
  page = await browser.page();
  ({ phone, laptop } = await playground(page, dev));
  await converge();
});

afterEach(() => faults({ offline: false, slow: false, uploads_fail: false, checkpoints_delayed: false }));

after(async () => {
  await browser?.close();
  await dev?.end();
});

const faults = (state) => dev.ask('/dev/faults', state);

async function converge() {
  for (const pane of [phone, laptop]) {
    await pane.items(...items);
    await pane.upToDate();
  }
}

/** Opens the log of the phone, and waits until it has a line with this in it. */
const logged = (text) =>
  page.waitFor((text) => {
    const log = document.querySelector('.phone .log');
    log.open = true;
    return log.innerText.includes(text);
  }, text);

test('offline: both say so, write on, and converge afterwards', async () => {
  await faults({ offline: true });
  await phone.connection('No connection');
  await laptop.connection('No connection');
  await phone.add('Milk');
  await phone.queue('Added “Milk”');
  items.push('Milk');
  await faults({ offline: false });
  await converge();
});

test('uploads fail: the reason is there, and what others change waits behind the gate', async () => {
  await phone.switch();
  await phone.add('Cake');
  await phone.queue('Added “Cake”');
  await laptop.add('Tea');
  await laptop.upToDate();
  await faults({ uploads_fail: true });
  await phone.switch();
  await phone.connection('Upload fails');
  await phone.see('/api/data answers 500');
  await phone.gate('Gate closed', 'New data is here and waits until your 1 change is uploaded');
  await phone.items(...items, 'Cake');
  items.push('Cake', 'Tea');
  await faults({ uploads_fail: false });
  await phone.press('button', 'Try now');
  await converge();
});

test('checkpoints are delayed: the gate stays closed until what was uploaded comes back', async () => {
  await faults({ checkpoints_delayed: true });
  await phone.add('Late');
  await phone.queue();
  await phone.gate('Gate closed', 'until what you uploaded has come back');
  await laptop.items(...items);
  items.push('Late');
  await faults({ checkpoints_delayed: false });
  await converge();
});

for (const fault of ['cut', 'expire', 'checksum', 'compact', 'redeploy']) {
  test(`${fault}: both go on`, async () => {
    await dev.ask('/dev/faults/now', { fault });
    items.push(fault);
    await laptop.add(fault);
    await converge();
    if (fault === 'expire') await logged('"did_expire":true');
    if (fault === 'checksum') await logged("Checksums didn't match");
    if (fault === 'cut') await logged('The connection was cut.');
  });
}

test('slow: the progress is shown, and a download that was interrupted goes on', async () => {
  await faults({ slow: true });
  await page.focus('combobox', 'User of the phone');
  await page.type('b');
  const share = /\n[1-9]\d* of \d+ changes/;
  await phone.see(share);
  await page.reload();
  await phone.see(share);
  // What is there already is not asked for again.
  await logged('","after":"');
  const request = await page.evaluate("[...document.querySelectorAll('.phone .lines .sent')].map(({ innerText }) => innerText).find((text) => text.includes('/sync/stream'))");
  assert.match(request, /"after":"[1-9]/);
  await faults({ slow: false });
  await phone.connection('Up to date');
  await page.waitFor((lists) => document.querySelectorAll('.phone .lists li').length === lists, LISTS);
});
