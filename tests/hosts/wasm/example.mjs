// Opens the page of `wasm/example` in Chromium, and reads what it shows: `node example.mjs CHROMIUM PROGRAM.wasm`.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Chromium } from './chromium.mjs';
import { serve } from './serve.mjs';

const [program, module] = process.argv.slice(2);
const here = (name) => fileURLToPath(new URL(`../../../wasm/example/${name}`, import.meta.url));
const files = { '/page.html': here('page.html'), '/wasi.js': here('wasi.js'), '/program.wasm': resolve(module) };

/** What the page shows when it is done, or what it was stopped by. */
const SHOWN = `new Promise((resolve, reject) => {
  const look = () => document.querySelector('pre') && resolve(document.querySelector('pre').textContent);
  new MutationObserver(look).observe(document.body, { childList: true });
  addEventListener('unhandledrejection', ({ reason }) => reject(reason));
  look();
})`;

const { server, address } = await serve(files);
const browser = await Chromium.start(program);
try {
  const ids = [];
  // Without randomness of the browser's, what is opened in the same second would choose the same ids.
  for (let times = 0; times < 2; times += 1) {
    await browser.open(`${address}/page.html`);
    const { version, lists, queue } = JSON.parse(await browser.evaluate(SHOWN));
    assert.match(version, /^0\.5\.1/);
    const [[id, name]] = lists;
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.equal(name, 'Groceries');
    assert.deepEqual(queue, [{ op: 'PUT', id, type: 'lists', data: { name: 'Groceries' } }]);
    ids.push(id);
  }
  assert.notEqual(ids[0], ids[1]);
  console.log('The page of wasm/example writes, and shows what is to be uploaded.');
} finally {
  await browser.close();
  server.close();
}
