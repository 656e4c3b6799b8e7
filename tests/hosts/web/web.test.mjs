// The published web SDK on our side modules, in Chromium, with the service: the app of `app`, bundled in all ways that the
// package's README shows.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { serve } from '../wasm/serve.mjs';
import { Program } from '../node/service/program.js';
import { Chromium } from '../wasm/chromium.mjs';
import { bundle, developmentServer, prepare } from './bundles.mjs';

const ROWS = 20_000;

const SEED = `
CREATE TABLE items (id TEXT PRIMARY KEY NOT NULL, name TEXT, rank INTEGER);
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${ROWS})
INSERT INTO items SELECT 'seed-' || n, 'Item ' || n, n FROM numbers;`;

const CONFIG = `config: {edition: 3}
streams:
  items:
    auto_subscribe: true
    query: SELECT * FROM items
`;

const SEEDED = "SELECT count(*) FROM items WHERE id LIKE 'seed-%'";
const WAITING = 'SELECT count(*) FROM ps_crud';

/** Ours; the SDK brings along 0.5.4 or so. */
const OURS = /^0\.5\.1\d\d\//;

/** How the SDK keeps databases: in memory, in files that only workers have, in IndexedDB. */
const [MEMORY, FILES, INDEXED] = ['InMemoryVFS', 'OPFSCoopSyncVFS', 'IDBBatchAtomicVFS'];

const directory = await mkdtemp(join(tmpdir(), 'powersync-web-'));
let service;
let browser;

before(async () => {
  await writeFile(join(directory, 'seed.sql'), SEED);
  await writeFile(join(directory, 'sync.yaml'), CONFIG);
  await writeFile(join(directory, 'writes.yaml'), 'writes: {default: allow}\n');
  const options = ['--ephemeral', '--seed', 'seed.sql', '--writes', 'writes.yaml', '--user', 'alice', '--user', 'bob'];
  service = new Program(directory, ['dev', 'sync.yaml', ...options]);
  await Promise.all([prepare(), service.start()]);
  browser = await Chromium.start(process.env.CHROMIUM);
});

after(async () => {
  await browser?.close();
  await service?.kill();
  await rm(directory, { recursive: true });
});

/** Serves what a bundler has made, but for files with this in their names. */
async function serveBundle(made, missing) {
  const names = (await readdir(made, { recursive: true })).filter((name) => !missing?.test(name));
  return serve(Object.fromEntries(names.map((name) => [`/${name.replaceAll('\\', '/')}`, join(made, name)])));
}

/** Calls a function of the app in a page. */
async function call(page, name, ...parameters) {
  const list = parameters.map((parameter) => JSON.stringify(parameter)).join(', ');
  try {
    return await page.evaluate(`app.${name}(${list})`);
  } catch (error) {
    throw new Error(`${error.message}\nThe page's console:\n${page.console.join('\n')}`, { cause: error });
  }
}

/** Opens the app and its database in a new tab. */
async function open(address, options) {
  const page = await browser.page();
  await show(page, address, options);
  return page;
}

async function show(page, address, options) {
  await page.open(`${address}/index.html`);
  assert.match(await call(page, 'open', options), OURS);
}

const count = async (page, sql = SEEDED) => Object.values((await call(page, 'rows', sql))[0])[0];

/** Everything that an app does, with one kind of database. Bob is another client, in another page. */
async function scenario(t, address, bob, { vfs, tabs, worker }) {
  const options = { name: `${t.name.replaceAll(/\W+/g, '-')}.db`, vfs, tabs, worker };
  const alice = await open(address, options);
  await call(alice, 'sync', service.url, 'alice');
  assert.equal(await count(alice), ROWS);

  const written = (id) => `SELECT count(*) FROM items WHERE id = '${id}' AND name = 'Written'`;
  const write = (page, id) => call(page, 'execute', `INSERT INTO items (id, name) VALUES ('${id}', 'Written')`);
  const id = `${t.name}-alice`;
  await write(alice, id);
  await call(bob, 'until', written(id), 1);
  await call(alice, 'until', WAITING, 0);

  let other;
  if (tabs) {
    other = await open(address, options);
    await call(other, 'sync', service.url, 'alice');
    assert.deepEqual([await count(other), await count(other, written(id))], [ROWS, 1]);
    const second = `${t.name}-tab`;
    await write(other, second);
    for (const page of [alice, bob]) await call(page, 'until', written(second), 1);
    await call(other, 'until', WAITING, 0);
  }

  await show(alice, address, options);
  // A database in memory stays as long as one tab has it.
  const isKept = vfs !== MEMORY || tabs;
  assert.deepEqual([await count(alice), await count(alice, written(id))], isKept ? [ROWS, 1] : [0, 0]);
  await call(alice, 'sync', service.url, 'alice');
  const last = `${t.name}-bob`;
  await write(bob, last);
  await call(alice, 'until', written(last), 1);
  assert.equal(await count(alice), ROWS);
  for (const page of [alice, other]) await page?.close();
}

const CASES = {
  vite: [
    { vfs: MEMORY, tabs: true },
    { vfs: MEMORY, tabs: false },
    { vfs: FILES, tabs: true },
    { vfs: FILES, tabs: false },
    { vfs: INDEXED, tabs: true },
    { vfs: INDEXED, tabs: false }
  ],
  webpack: [
    { vfs: FILES, tabs: true },
    { vfs: INDEXED, tabs: true }
  ],
  esbuild: [
    { vfs: FILES, tabs: true, worker: '/worker.js' },
    { vfs: INDEXED, tabs: true, worker: '/worker.js' }
  ]
};

for (const [bundler, cases] of Object.entries(CASES)) {
  describe(bundler, () => {
    let site;
    let bob;
    before(async () => {
      site = await serveBundle(await bundle(bundler));
      bob = await open(site.address, { name: 'bob.db', vfs: MEMORY, tabs: false, worker: cases[0].worker });
      await call(bob, 'sync', service.url, 'bob');
    });
    after(async () => {
      await bob?.close();
      site?.server.close();
    });
    for (const one of cases) {
      const name = `${bundler} ${one.vfs} ${one.tabs ? 'with' : 'without'} shared worker`;
      test(name, (t) => scenario(t, site.address, bob, one));
    }
  });
}

test('the development server of Vite', async () => {
  const server = await developmentServer();
  try {
    for (const vfs of [FILES, INDEXED]) {
      const page = await open(server.address, { name: `development-${vfs}.db`, vfs, tabs: true });
      await page.close();
    }
  } finally {
    await server.close();
  }
});

describe('what does not fit', () => {
  const options = { name: 'none.db', vfs: FILES, tabs: false, worker: '/worker.js' };

  async function withBundle(name, missing, use) {
    const site = await serveBundle(await bundle(name), missing);
    const page = await browser.page();
    try {
      await page.open(`${site.address}/index.html`);
      await use(page);
    } finally {
      await page.close();
      site.server.close();
    }
  }

  test('a page without the aliases has the published extension', () =>
    withBundle('published', undefined, async (page) => {
      assert.doesNotMatch(await call(page, 'open', options), OURS);
    }));

  test('another version of SQLite is named', () =>
    withBundle('another version', undefined, async (page) => {
      const message = /needs @journeyapps\/wa-sqlite 2\.0\.5, and this app has 2\.0\.6\. Install @powersync\/web@2\.4\.0 /;
      for (const vfs of [FILES, INDEXED]) await assert.rejects(call(page, 'open', { ...options, vfs }), message);
    }));

  for (const [what, missing] of [['side module', /\.side.*\.wasm$/], ['main module', /main.*\.wasm$/]]) {
    test(`a missing ${what} is an error`, () =>
      withBundle('esbuild', missing, async (page) => {
        await assert.rejects(call(page, 'open', options), /cannot load .*404/);
      }));
  }
});
