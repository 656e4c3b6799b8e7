// Serves files to a browser on this machine.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** Serves files, given by their addresses, on a free port; gives the server and its address. */
export async function serve(files) {
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
    server.listen(0, '127.0.0.1', listening);
  });
  return { server, address: `http://127.0.0.1:${server.address().port}` };
}
