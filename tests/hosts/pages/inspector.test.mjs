// The inspector of a development service: each section with what a real service has.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startBrowser, startDev, PHONE, SMALLEST } from './harness.mjs';
import { connect, refuse, seedEverything, upload, well } from './inspector.mjs';
import { overflow } from './accessibility.mjs';

const HOSTILE = `<img src=x onerror="document.title='hacked'"><script>document.title='hacked'</script>`;

/** Sections, and something that each shows when it is there. */
const SECTIONS = {
  overview: 'Everything is well',
  source: 'list-groceries',
  buckets: 'in use',
  clients: 'all up to date',
  preview: 'alice would get',
  writes: 'transactions applied',
  config: 'no mistakes',
  faults: 'Until they are switched off',
};

describe('the inspector', { concurrency: false }, () => {
  let dev;
  let browser;
  let alice;

  before(async () => {
    [dev, browser] = await Promise.all([startDev(), startBrowser()]);
    alice = await connect(dev, 'alice');
    await seedEverything(dev);
    await refuse(dev);
  });

  after(async () => {
    alice?.close();
    await browser?.close();
    await dev?.end();
  });

  const open = async (fragment, size) => {
    const page = await browser.page(size);
    await page.open(`${dev.url}/inspect#${fragment}`);
    return page;
  };

  test('every section has its own address, works with the keyboard, and is never wider than the window', async () => {
    const page = await open('overview');
    for (const [name, text] of Object.entries(SECTIONS)) {
      await page.open('about:blank');
      await page.open(`${dev.url}/inspect#${name}`);
      await page.see(text);
      await well(page);
      for (const { width, height } of [PHONE, SMALLEST]) {
        await page.viewport(width, height);
        assert.deepEqual(await overflow(page), [], name);
      }
      await page.viewport(1440, 900);
    }
    await page.prefer({ scheme: 'dark' });
    await well(page);
    await page.close();
  });

  test('the overview counts what happens', async () => {
    const page = await open('overview');
    await page.see('Everything is well');
    const before = (await page.find('image', /^Operations written: /)).name;
    await dev.ask('/dev/rows', { table: 'lists', op: 'insert', values: { id: 'list-new', name: 'New', owner_id: 'carol' } });
    await page.until(async () => (await page.find('image', /^Operations written: /)).name !== before, 'another chart');
    await page.find('image', /^Connected clients: 1 /);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('a row is changed, and a connected client has it; what the database refuses is said at the row', async () => {
    const page = await open('source/todos');
    await page.click('button', 'Edit todo-3');
    await page.fill('textbox', /^description/, 'Rye bread');
    await page.click('button', 'Save');
    await page.see('Rye bread');
    await alice.gets('Rye bread');

    await page.click('button', 'Edit todo-3');
    await page.click('checkbox', 'list_id is NULL');
    await page.click('button', 'Save');
    await page.see('list_id must have a value.');
    assert.equal(await page.evaluate("document.activeElement.getAttribute('aria-invalid')"), 'true');
    await well(page);
    await page.click('button', 'Cancel');
    await page.close();
  });

  test('rows are inserted, found, sorted and deleted', async () => {
    const page = await open('source/lists');
    await page.click('button', 'Insert a row into lists');
    await page.fill('textbox', /^id/, 'list-books');
    await page.fill('textbox', /^name/, 'Books & more');
    await page.fill('textbox', /^owner_id/, 'alice');
    await page.click('button', 'Insert');
    await page.see('Books & more');
    await alice.gets('Books & more');
    await page.fill('searchbox', 'Filter', 'BOOKS');
    await page.seeNoMore('Groceries');
    await page.fill('searchbox', 'Filter', 'nothing like it');
    await page.see('No row has this in any of its columns.');
    await page.fill('searchbox', 'Filter', '');
    await page.see('Groceries');
    await page.click('button', 'name');
    await page.waitFor(() => document.querySelector('#source tbody tr td').textContent === 'list-books');
    await page.click('button', 'name');
    await page.waitFor(() => document.querySelector('#source tbody tr:last-child td').textContent === 'list-books');
    await page.find('columnheader', 'name');
    await page.click('button', 'Delete list-books');
    await page.find('dialog', 'Delete the row?');
    await page.click('button', 'Delete');
    await page.seeNoMore('Books & more');
    await alice.gets('"op":"REMOVE"');
    await page.close();
  });

  test('what others change in the source is shown by itself', async () => {
    const page = await open('source/todos');
    await page.see('Plant tulips');
    await dev.ask('/dev/rows', { table: 'todos', op: 'update', key: { id: 'todo-7' }, values: { description: 'Plant roses' } });
    await page.see('Plant roses');
    await page.close();
  });

  test('text that looks like markup is text everywhere', async () => {
    await dev.ask('/dev/rows', { table: 'lists', op: 'insert', values: { id: HOSTILE, name: HOSTILE, owner_id: HOSTILE } });
    const client = await connect(dev, HOSTILE, [{ stream: 'list', parameters: { id: HOSTILE }, override_priority: null }]);
    await upload(dev, HOSTILE, [{ op: 'PATCH', table: 'lists', id: 'list-trip', op_data: { name: HOSTILE } }]);
    const page = await open('source/lists');
    const key = encodeURIComponent(JSON.stringify([HOSTILE]));
    const definition = (await dev.ask('/api/admin/v1/buckets')).definitions.find(({ streams }) => streams.includes('lists')).id;
    for (const place of ['source/lists', `buckets/${definition}`, `buckets/${definition}/${key}`, 'clients', `preview/${encodeURIComponent(HOSTILE)}/lists/${encodeURIComponent(HOSTILE)}`, 'writes']) {
      await page.open('about:blank');
      await page.open(`${dev.url}/inspect#${place}`);
      await page.see('<img src=x onerror');
    }
    assert.equal(await page.evaluate("document.querySelectorAll('main img, main script').length"), 0);
    assert.match(await page.evaluate('document.title'), /Inspector/);
    assert.deepEqual(page.problems, []);
    client.close();
    await page.close();
  });

  test('a bucket shows its operations, the newest first', async () => {
    await dev.ask('/dev/rows', { table: 'lists', op: 'update', key: { id: 'list-trip' }, values: { name: 'Trip to the hills' } });
    await alice.gets('Trip to the hills');
    const page = await open('buckets');
    await page.click('link', 'lists');
    await page.see("Every client gets its user's lists");
    await page.click('link', '["alice"]');
    await page.see('Trip to the hills');
    const shown = await page.call(() => [...document.querySelectorAll('#buckets tbody tr')].filter((row) => row.checkVisibility()).map((row) => row.cells[1].textContent));
    assert.equal(shown[0], 'PUT');
    assert.ok(shown.includes('MOVE'), 'what was replaced');
    await page.see('a newer operation has replaced it');
    await page.evaluate('history.back()');
    await page.see('Buckets 1 to');
    await page.close();
  });

  test('clients come and go, with what they have subscribed to', async () => {
    const page = await open('clients');
    await page.see('1 client connected, all up to date');
    const bob = await connect(dev, 'bob', [{ stream: 'list', parameters: { id: 'list-garden' }, override_priority: null }]);
    await page.see('2 clients connected, all up to date');
    await page.see('{"id":"list-garden"}');
    await page.see('phone-of-bob');
    bob.close();
    await page.see('1 client connected');
    await page.click('link', 'alice');
    await page.see('alice would get');
    await page.close();
  });

  test('what a user would get has a reason for each row, and names what is missing', async () => {
    const page = await open('preview/bob');
    await page.see(/bob would get \d+ rows in 2 buckets, from 2 streams/);
    await page.click('button', 'Why todos todo-6?');
    await page.see('bob has todos todo-6');
    await page.see("lists with id = 'list-garden' has owner_id = 'bob', which is auth.user_id()");
    await page.fill('combobox', 'User', 'alice');
    await page.click('button', 'Show');
    await page.see('alice would get');
    await page.fill('combobox', 'Table', 'todos');
    await page.fill('textbox', 'Row', 'todo-6');
    await page.click('button', 'Explain');
    await page.see('alice does not have todos todo-6');
    await page.reload();
    await page.see('alice does not have todos todo-6');
    await page.see("has owner_id = 'bob', and auth.user_id() is 'alice'");
    await page.click('button', 'Add a subscription');
    await page.fill('textbox', /^Parameters, as a JSON object/, '{"id": ');
    await page.click('button', 'Show');
    await page.see('must be a JSON object');
    await well(page);
    await page.close();
  });

  test('it can be used with the keyboard alone', async () => {
    const page = await open('overview');
    await page.see('Everything is well');
    const go = async (name) => {
      for (let count = 0; count < 80; count++) {
        await page.press('Tab');
        const found = await page.evaluate("(document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent).trim()");
        if (found === name) return;
      }
      assert.fail(`Tab does not reach ${name}`);
    };
    await go('Source');
    await page.press('Enter');
    await page.see('Reset to the seed');
    await page.focus('link', 'Skip to the content');
    await page.press('Enter', 'Tab');
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'lists', 'the content is next, of the same section');
    await go('todos');
    await page.press('Enter');
    await page.see('Cut the hedge');
    await go('Edit todo-6');
    await page.press('Enter');
    await page.press('Tab', 'Tab', 'Control+a');
    await page.type('Trim the hedge');
    await page.press('Enter');
    await page.see('Trim the hedge');
    await go('Delete todo-6');
    await page.press('Enter');
    await page.find('dialog', 'Delete the row?');
    await page.press('Escape');
    await page.waitFor(() => document.querySelector('dialog') === null);
    assert.equal(await page.evaluate("document.activeElement.getAttribute('aria-label')"), 'Delete todo-6', 'the focus is where it was');
    await page.close();
  });
});
