// Uses the example of `wasm/example` in Chromium as a visitor does, and reads from the page what it shows:
// `node example.mjs CHROMIUM PROGRAM.wasm`.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { example, serve } from '../../../wasm/example/serve.mjs';
import { Chromium } from './chromium.mjs';

const [program, module] = process.argv.slice(2);

/** Opens the page; is done when its script has run, which `import` waits for. */
async function open(browser, address) {
  await browser.open(address);
  await browser.evaluate("import('/page.js').then(() => null)");
}

const rows = (browser, table) =>
  browser.evaluate(`[...document.querySelectorAll('#${table} tr')].map((row) => [...row.cells].map((cell) => cell.innerText))`);

/** Clicks, and waits until the database is kept. */
function click(browser, selector) {
  return browser.evaluate(`new Promise((resolve) => {
    const state = document.getElementById('state');
    state.textContent = '';
    new MutationObserver(() => resolve(state.textContent)).observe(state, { childList: true });
    document.querySelector('${selector}').click();
  })`);
}

const { server, address } = await serve(example(resolve(module)));
const browser = await Chromium.start(program);
try {
  await open(browser, address);
  assert.deepEqual(await rows(browser, 'lists'), []);

  assert.match(await click(browser, '#sync'), /^\d+ bytes kept in the browser$/);
  const synced = [['l1', 'one'], ['l2', 'two']];
  assert.deepEqual(await rows(browser, 'lists'), synced);
  assert.deepEqual(await rows(browser, 'queue'), []);
  assert.match(await browser.evaluate("document.getElementById('log').textContent"), /\{"DidCompleteSync":\{\}\}/);

  assert.match(await click(browser, '#add button'), /^\d+ bytes kept in the browser$/);
  const written = await rows(browser, 'lists');
  assert.deepEqual(written.map(([, name]) => name), ['Groceries', 'one', 'two']);
  const [[id]] = written;
  assert.match(id, /^[0-9a-f-]{36}$/);
  const queue = await rows(browser, 'queue');
  assert.equal(queue.length, 1);
  assert.deepEqual(JSON.parse(queue[0][1]), { op: 'PUT', id, type: 'lists', data: { name: 'Groceries' } });

  // Without randomness of the browser's, what is opened in the same second would choose the same ids.
  const [one, other] = await browser.evaluate(`import('/database.js').then(async ({ Database }) => {
    const databases = await Promise.all([Database.open(), Database.open()]);
    return databases.map((database) => database.run('SELECT uuid()')[0][0]);
  })`);
  assert.notEqual(one, other);

  await open(browser, address);
  assert.match(await browser.evaluate("document.getElementById('state').textContent"), /bytes found in the browser$/);
  assert.deepEqual(await rows(browser, 'lists'), written);
  assert.deepEqual(await rows(browser, 'queue'), queue);
  console.log('The page of wasm/example syncs, writes and keeps its rows.');
} finally {
  await browser.close();
  server.close();
}
