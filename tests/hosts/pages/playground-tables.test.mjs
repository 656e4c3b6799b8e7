// The playground of another app than the todo app: its tables, whatever they are.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, DESKTOP, SMALLEST, startBrowser, startDev } from './harness.mjs';
import { playground } from './playground.mjs';

const SEED = `
CREATE TABLE items (id TEXT PRIMARY KEY NOT NULL, name TEXT, rank INTEGER, price REAL);
INSERT INTO items VALUES ('one', 'First', 1, 0.5), ('two', NULL, 2, NULL);
CREATE TABLE "odd ""names""" (id TEXT PRIMARY KEY NOT NULL, "a b" TEXT);
INSERT INTO "odd ""names""" VALUES ('x', '<b>text</b>');`;

const CONFIG = `config: {edition: 3}
streams:
  items: {auto_subscribe: true, query: SELECT * FROM items}
  odd: {auto_subscribe: true, query: 'SELECT * FROM "odd ""names"""'}
`;

let dev;
let browser;

before(async () => {
  const files = { 'seed.sql': SEED, 'sync.yaml': CONFIG, 'writes.yaml': 'writes: {default: allow}\n' };
  const args = ['sync.yaml', '--seed', 'seed.sql', '--writes', 'writes.yaml', '--user', 'carol'];
  [dev, browser] = await Promise.all([startDev({ files, args }), startBrowser()]);
});

after(async () => {
  await browser?.close();
  await dev?.end();
});

/** Waits until the table of a device has these rows. */
function rows(page, kind, expected) {
  const look = (kind, expected) => {
    const shown = [...document.querySelectorAll(`.${kind} tbody tr`)].map((row) => [...row.cells].slice(1, -1).map((cell) => cell.textContent));
    return JSON.stringify(shown.sort()) === JSON.stringify(expected.sort());
  };
  return page.until(() => page.call(look, kind, expected), `the rows ${JSON.stringify(expected)} on the ${kind}`);
}

test('rows are added, changed and deleted', async () => {
  const page = await browser.page();
  const { phone, laptop } = await playground(page, dev);
  const seeded = [['First', '1', '0.5'], ['null', '2', 'null']];
  for (const kind of ['phone', 'laptop']) await rows(page, kind, seeded);

  await phone.press('button', 'New row');
  await page.type('Third');
  await page.press('Tab');
  await page.type('3');
  await page.press('Enter');
  await rows(page, 'laptop', [...seeded, ['Third', '3', 'null']]);
  await laptop.press('button', 'Edit one');
  await page.press('Control+a');
  await page.type('Changed');
  await page.press('Enter');
  await rows(page, 'phone', [['Changed', '1', '0.5'], seeded[1], ['Third', '3', 'null']]);

  await phone.switch();
  await phone.press('button', 'Edit two');
  await phone.press('button', 'Delete');
  await phone.queue('Deleted row two of items');
  await phone.switch();
  await rows(page, 'laptop', [['Changed', '1', '0.5'], ['Third', '3', 'null']]);

  await page.focus('combobox', 'Table on the laptop');
  await page.type('o');
  await rows(page, 'laptop', [['<b>text</b>']]);
  assert.deepEqual(page.problems, []);
  for (const { width, height } of [DESKTOP, SMALLEST]) {
    await page.viewport(width, height);
    await page.reload();
    await rows(page, 'laptop', [['Changed', '1', '0.5'], ['Third', '3', 'null']]);
    await accessible(page);
  }
});

test('a new table of the configuration is there at once', async () => {
  const page = await browser.page();
  await playground(page, dev);
  const before = await page.find('combobox', 'Table on the phone');
  assert.ok(before);
  const config = `${CONFIG}  again: {auto_subscribe: true, query: 'SELECT id, name FROM items AS copies'}\n`;
  const response = await fetch(`${dev.url}/api/sync-rules/v1/deploy`, { method: 'POST', body: config });
  assert.equal(response.status, 200);
  await page.waitFor(() => [...document.querySelectorAll('.phone .tables option')].some(({ value }) => value === 'copies'));
});
