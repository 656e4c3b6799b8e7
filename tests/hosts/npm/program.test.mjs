// Uses the installed npm package with the program: `node --test program.test.mjs`.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { RowtideError, dev, programPath } from 'rowtide';

const folder = mkdtempSync(join(tmpdir(), 'rowtide-npm-'));
after(() => rmSync(folder, { recursive: true }));

function file(name, content) {
  writeFileSync(join(folder, name), content);
  return name;
}

async function upload(server, user, operation) {
  const headers = { authorization: `Bearer ${await server.token(user)}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ transactions: [{ crud: [operation] }] });
  const response = await fetch(`${server.url}/api/data`, { method: 'POST', headers, body });
  const [result] = (await response.json()).results;
  return result.status;
}

/** The operations of a token's streams, as `PUT list-trip`, as they come. */
async function* operations(server, token) {
  const headers = { authorization: `Token ${token}`, 'content-type': 'application/json' };
  const response = await fetch(`${server.url}/sync/stream`, { method: 'POST', headers, body: '{"raw_data":true}' });
  assert.equal(response.status, 200);
  let rest = '';
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop();
    for (const line of lines.filter(Boolean).map((line) => JSON.parse(line))) {
      for (const { op, object_id } of line.data?.data ?? []) yield `${op} ${object_id}`;
    }
  }
}

async function until(stream, wanted) {
  for (;;) {
    const { value, done } = await stream.next();
    assert.ok(!done, `the stream ended without ${wanted}`);
    if (value === wanted) return;
  }
}

async function nothingAnswers(server) {
  await assert.rejects(server.token('alice'), (error) => error instanceof RowtideError && /was it stopped/.test(error.message));
  assert.ok(!existsSync(server.folder), 'its folder is removed');
}

test('two users sync, a write reaches its owner, and a reset undoes it', async () => {
  const server = await dev({ users: ['alice', 'bob', 'carol'] });
  assert.deepEqual(Object.keys(server.tokens), ['alice', 'bob', 'carol']);
  const [alice, bob] = [operations(server, server.tokens.alice), operations(server, await server.token('bob'))];
  await until(alice, 'PUT list-trip');
  await until(bob, 'PUT list-garden');
  assert.equal(await upload(server, 'alice', { op: 'PUT', table: 'lists', id: 'new', op_data: { name: 'New' } }), 'success');
  await until(alice, 'PUT new');
  assert.equal(await upload(server, 'bob', { op: 'DELETE', table: 'lists', id: 'new' }), 'fatal_error');
  assert.ok(existsSync(server.source));
  assert.deepEqual((await server.schema()).tables.map(({ name }) => name).sort(), ['lists', 'todos']);
  await server.reset();
  await until(alice, 'REMOVE new');
  const ends = [alice, bob].map(async (stream) => {
    while (!(await stream.next()).done);
  });
  await server.stop();
  await Promise.all(ends);
  await nothingAnswers(server);
  await server.stop();
});

test('a configuration and a seed of ones own', async () => {
  const config = file('sync.yaml', 'config: {edition: 3}\nstreams: {notes: {auto_subscribe: true, query: SELECT * FROM notes}}\n');
  const seed = file('seed.sql', "CREATE TABLE notes (id TEXT PRIMARY KEY NOT NULL);\nINSERT INTO notes VALUES ('n1');\n");
  const server = await dev({ config, seed, cwd: folder, deterministic: true });
  await until(operations(server, await server.token('anybody')), 'PUT n1');
  await server[Symbol.asyncDispose]();
  await nothingAnswers(server);
});

test('what is wrong is said as the program says it', async () => {
  const config = file('wrong.yaml', 'config: {edition: 3}\nstreams: {}\nextra: 1\n');
  await assert.rejects(dev({ config, cwd: folder }), (error) => {
    assert.ok(error instanceof RowtideError);
    assert.match(error.stderr, /^wrong\.yaml:3:1: error\[C003\]/);
    assert.ok(error.message.includes(error.stderr));
    return error.exitCode === 2;
  });
  const server = await dev();
  const port = Number(new URL(server.url).port);
  await assert.rejects(dev({ port }), (error) => error.exitCode === 1 && error.message.includes(String(port)));
  await server.stop();
  await assert.rejects(server.reset(), RowtideError);
});

test('a source without a seed cannot be reset', async () => {
  const config = file('bare.yaml', 'config: {edition: 3}\nstreams: {notes: {query: SELECT * FROM notes}}\n');
  const server = await dev({ config, cwd: folder });
  await assert.rejects(server.reset(), (error) => /failed with 400: .*seed/.test(error.message));
  await server.stop();
});

// Only if it does not end does the limit matter.
test('it ends with a process that is killed, and does not keep one from ending', { timeout: 120_000 }, async () => {
  for (const [end, last] of [['process.kill(process.pid, "SIGKILL")', null], ['', 0]]) {
    const script = file('forgets.mjs', `import { dev } from ${JSON.stringify(import.meta.resolve('rowtide'))};
      const server = await dev();
      console.log(JSON.stringify({ url: server.url, folder: server.folder }));
      ${end}\n`);
    const child = spawn(process.execPath, [script], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    child.stdout.on('data', (piece) => (printed += piece));
    const [code] = await once(child, 'close');
    assert.equal(code, last);
    const { url } = JSON.parse(printed);
    // Requests succeed until it has stopped, and fail from then on.
    while (await fetch(`${url}/probes/liveness`).then(() => true, () => false));
  }
});

test('the command runs the program', () => {
  const { version } = JSON.parse(spawnSync(process.execPath, ['-p', 'JSON.stringify(require("rowtide/package.json"))']).stdout);
  const command = join(dirname(dirname(programPath())), '.bin', process.platform === 'win32' ? 'rowtide.cmd' : 'rowtide');
  const run = (...options) => spawnSync(command, options, { encoding: 'utf8', shell: process.platform === 'win32' });
  assert.equal(run('--version').stdout, `rowtide ${version}\n`);
  assert.equal(run('no-such-command').status, 2);
  const named = spawnSync(command, ['--version'], {
    encoding: 'utf8',
    shell: process.platform === 'win32',
    env: { ...process.env, ROWTIDE_BINARY: join(folder, 'nothing') },
  });
  assert.equal(named.status, 1);
  assert.match(named.stderr, /ROWTIDE_BINARY names/);
});
