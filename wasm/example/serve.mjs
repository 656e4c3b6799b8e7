// Serves files to a browser on this machine: `node serve.mjs PROGRAM.wasm` those of the example.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The example's files by their addresses. */
export function example(program) {
  const own = ['index.html', 'page.js', 'database.js', 'storage.js', 'wasi.js'];
  return {
    ...Object.fromEntries(own.map((name) => [`/${name}`, here(name)])),
    '/': here('index.html'),
    '/program.wasm': program,
    '/session.json': here('../../tests/scenarios/initial_sync.json'),
  };
}

/** Serves files, given by their addresses, on a port, or on any without; gives the server and its address. */
export async function serve(files, port = 0) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    if (!Object.hasOwn(files, pathname)) {
      response.writeHead(404).end();
      return;
    }
    try {
      const content = await readFile(files[pathname]);
      response.writeHead(200, { 'Content-Type': TYPES[extname(files[pathname])], 'Cache-Control': 'no-store' });
      response.end(content);
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  await new Promise((listening, failed) => {
    server.once('error', failed);
    server.listen(port, '127.0.0.1', listening);
  });
  return { server, address: `http://127.0.0.1:${server.address().port}` };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [program, port = '8080'] = process.argv.slice(2);
  const { address } = await serve(example(resolve(program)), Number(port));
  console.log(`${address} shows the example; Ctrl+C ends it`);
}
