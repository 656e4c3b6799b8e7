// Faults of the development service, as a page of this machine switches them, and as clients in a browser see them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBrowser, startDev } from './harness.mjs';

let dev;
let browser;
let page;

before(async () => {
  [dev, browser] = await Promise.all([startDev(), startBrowser()]);
  page = await browser.page();
  await page.open(`${dev.url}/docs`);
  await page.evaluate(`void (${prepare})()`);
});

after(async () => {
  await browser?.close();
  await dev?.end();
});

/** What the page uses. */
function prepare() {
  globalThis.post = async (path, body) => (await fetch(path, { method: 'POST', body: JSON.stringify(body) })).json();
  globalThis.authorization = async () => ({ authorization: `Token ${await (await fetch('/dev/token?user=alice')).text()}` });
  /** Opens a stream; gives functions that read a line, and its end. */
  globalThis.stream = async () => {
    const response = await fetch('/sync/stream', { method: 'POST', headers: await authorization(), body: '{}' });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    const line = async () => {
      while (!rest.includes('\n')) {
        const { value, done } = await reader.read();
        if (done) return undefined;
        rest += value;
      }
      const [first] = rest.split('\n', 1);
      rest = rest.slice(first.length + 1);
      return JSON.parse(first);
    };
    const until = async (member) => {
      for (;;) {
        const found = await line();
        if (found === undefined || member in found) return found;
      }
    };
    return { line, until };
  };
}

test('offline is a network error, for streams and for requests', async () => {
  const found = await page.call(async () => {
    const { until } = await stream();
    await until('checkpoint_complete');
    const state = await post('/dev/faults', { offline: true });
    const cut = await until('nothing').then(() => 'ended', ({ name }) => name);
    const refused = [];
    for (const [path, method] of [['/sync/stream', 'POST'], ['/write-checkpoint2.json', 'GET'], ['/api/data', 'POST']]) {
      refused.push(await fetch(path, { method, headers: await authorization() }).then(({ status }) => status, ({ name }) => name));
    }
    await post('/dev/faults', { offline: false });
    const again = await (await stream()).until('checkpoint_complete');
    return { state, cut, refused, again: again !== undefined };
  });
  assert.equal(found.state.offline, true);
  assert.equal(found.cut, 'TypeError');
  assert.deepEqual(found.refused, ['TypeError', 'TypeError', 'TypeError']);
  assert.ok(found.again);
});

test('streams are cut in a line, and end with their tokens', async () => {
  const found = await page.call(async () => {
    const results = [];
    for (const fault of ['cut', 'expire']) {
      const { until, line } = await stream();
      await until('checkpoint_complete');
      // The browser may not have closed an earlier one.
      results.push((await post('/dev/faults/now', { fault })).streams >= 1);
      results.push(await line().then((found) => found?.token_expires_in, ({ name }) => name));
    }
    return results;
  });
  assert.deepEqual(found, [true, 'TypeError', true, 0]);
});
