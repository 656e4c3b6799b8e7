// The documentation in Chromium, from the built program.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, DESKTOP, PHONE, SMALLEST, startBrowser, startDev } from './harness.mjs';

let dev;
let browser;

before(async () => {
  [dev, browser] = await Promise.all([startDev(), startBrowser()]);
});

after(async () => {
  await browser?.close();
  await dev?.end();
});

async function open(path, options) {
  const page = await browser.page(options);
  await page.open(`${dev.url}${path}`);
  return page;
}

/** Types into the search, and gives what is found. */
async function search(page, query) {
  await page.press('/');
  await page.type(query);
  await page.see(/\d+ places?|Nothing in the docs/);
  return page.call(() => [...document.querySelectorAll('[role=option]')].map((option) => option.querySelector('b').textContent));
}

test('pages are accessible in all sizes and schemes, and ask no other host', async () => {
  const views = [
    ['/docs', { ...DESKTOP, scheme: 'light' }, true],
    ['/docs', { ...PHONE, scheme: 'dark' }, true],
    ['/docs', { ...SMALLEST, scheme: 'light' }, false],
    ['/docs/service', { ...DESKTOP, scheme: 'dark' }, false],
    ['/docs/architecture', { ...SMALLEST, scheme: 'dark' }, false],
    ['/docs/service/http', { width: 1024, height: 768, scheme: 'light' }, true],
    ['/docs/source/docs/examples/python/todo.py', { ...PHONE, scheme: 'dark' }, false],
    ['/docs/reference/functions', { ...PHONE, scheme: 'light' }, false],
  ];
  for (const [path, options, keyboard] of views) {
    const page = await open(path, options);
    await accessible(page, { keyboard });
    assert.deepEqual(page.requests.filter((address) => !address.startsWith(dev.url)), []);
    await page.close();
  }
});

test('the search is used by keyboard alone', async () => {
  const page = await open('/docs');
  const found = await search(page, 'gate');
  assert.equal(found[0], 'The sync client › The gate');
  await page.findIn('option', /The gate/, { selected: 'true' });
  await accessible(page);
  await search(page, '');
  await page.press('Escape');
  await page.waitFor(() => document.querySelector('#results').hidden);
  await page.fill('combobox', 'Search the docs', 'row-wise gate');
  await page.see('places');
  await page.press('ArrowDown', 'ArrowUp', 'ArrowUp', 'ArrowDown');
  const { name } = (await page.all('option')).find(({ selected }) => selected === true);
  assert.match(name, /row-wise gate/);
  await page.press('Enter');
  await page.waitFor(() => location.pathname === '/docs/reference/sync-client' && location.hash === '#the-row-wise-gate');
  await page.find('heading', 'The row-wise gate');
  await page.press('/', 'Escape');
  await page.waitFor(() => document.activeElement === document.body);
  await page.close();
});

test('titles come before headings, and those before text', async () => {
  const page = await open('/docs');
  assert.equal((await search(page, 'convex'))[0], 'Convex');
  await page.fill('combobox', 'Search the docs', 'faults');
  await page.waitFor(() => document.querySelector('[role=option] b')?.textContent === 'The sync service › Faults');
  await page.fill('combobox', 'Search the docs', 'powersync_crud_next');
  await page.waitFor(() => /Functions.*powersync_crud_next/.test(document.querySelector('[role=option] b')?.textContent));
  await page.close();
});

test('what is searched for is text, and may be nowhere', async () => {
  const page = await open('/docs', PHONE);
  assert.deepEqual(await search(page, '<img src=x onerror=alert(1)>'), []);
  await page.see('Nothing in the docs has “<img src=x onerror=alert(1)>”.');
  await page.fill('combobox', 'Search the docs', '<script>');
  await page.waitFor(() => document.querySelector('#count').textContent !== '' && document.querySelector('#search').value === '<script>');
  assert.equal(await page.evaluate('document.querySelectorAll("#results script, #results img").length'), 0);
  assert.deepEqual(page.problems, []);
  await page.close();
});

test('a result is followed with the mouse, on a phone', async () => {
  const page = await open('/docs', PHONE);
  await search(page, 'dead letters');
  await page.click('option', /What clients may write › Dead letters|Dead letters/);
  await page.waitFor(() => location.pathname.startsWith('/docs/service/') && location.hash !== '');
  await page.close();
});

test('a search that cannot be loaded says so, and is tried again', async () => {
  const page = await open('/docs');
  await page.send('Network.setBlockedURLs', { urls: ['*search.json'] });
  await page.press('/');
  // One key, so that no other attempt is under way when it is seen to have failed.
  await page.type('g');
  await page.see('The search could not be loaded.');
  await page.send('Network.setBlockedURLs', { urls: [] });
  await page.type('ate');
  await page.see('places');
  await page.close();
});

test('on a phone, the lists of pages and sections are opened and closed', async () => {
  const page = await open('/docs/service/writes', PHONE);
  assert.deepEqual(await page.all('link', 'Glossary'), []);
  await page.click('button', 'Pages');
  await page.find('link', 'Glossary');
  await accessible(page);
  await page.press('Escape');
  await page.until(async () => (await page.all('link', 'Glossary')).length === 0, 'the list to close');
  await page.click('button', 'Sections');
  await page.click('link', 'Dead letters');
  await page.waitFor(() => location.hash === '#dead-letters' && !document.querySelector('#contents').matches(':popover-open'));
  await page.click('button', 'Pages');
  await page.click('link', 'Glossary');
  await page.find('heading', 'Glossary');
  await page.close();
});

test('pages lead to the one before and the one after', async () => {
  const page = await open('/docs/service/writes');
  await page.click('link', 'Previous Configuration');
  await page.find('heading', 'Which user gets which rows');
  await page.click('link', 'Next Writes');
  await page.find('heading', 'What clients may write');
  await page.close();
});

test('the section that is read is marked', async () => {
  const page = await open('/docs/service/writes');
  const marked = () => page.call(() => document.querySelector('#contents [aria-current]')?.textContent);
  await page.click('link', 'Dead letters');
  await page.until(async () => (await marked()) === 'Dead letters', 'the mark at dead letters');
  await page.press('Control+Home');
  await page.evaluate('scrollTo(0, 0)');
  await page.until(async () => (await marked()) !== 'Dead letters', 'another mark');
  await page.close();
});

test('code is copied, of a session only what is typed', async () => {
  const page = await open('/docs/examples');
  await page.evaluate('void (navigator.clipboard.writeText = async (text) => { globalThis.copied = text; })');
  const [first] = await page.all('button', 'Copy this code');
  assert.ok(first);
  await page.focus('button', 'Copy this code');
  await page.press('Enter');
  await page.find('button', 'Copied');
  assert.equal(await page.evaluate('copied'), 'cargo build --release -p rowtide-loadable\ncargo run -p rowtide -- dev');
  await page.evaluate("document.querySelector('[data-language=console]').closest('.code').querySelector('button').click()");
  const typed = await page.waitFor(() => globalThis.copied.startsWith('todo') && globalThis.copied);
  assert.ok(typed.split('\n').every((line) => line.startsWith('todo ')), typed);
  await page.close();
});

test('an old link leads to the list of pages', async () => {
  const page = await browser.page();
  await page.open(`${dev.url}/docs/there/is/none`);
  await page.find('heading', 'There is no such page');
  await page.find('link', 'Overview');
  const statuses = await page.call(async () => {
    const one = async (path, accept) => (await fetch(path, { headers: { accept } })).status;
    return [await one('/docs/none', 'text/html'), await one('/docs/none', '*/*'), await one('/docs/', 'text/html'), await one('/docs/service/', 'text/html')];
  });
  assert.deepEqual(statuses, [404, 404, 200, 200]);
  await page.close();
});
