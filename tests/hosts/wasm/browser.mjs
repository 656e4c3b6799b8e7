// Keeps a Chromium in which programs run: `node browser.mjs CHROMIUM PROGRAM` prints the address to which in-browser.mjs
// brings their input, and ends with its own standard input. PROGRAM is a module for WASI (.wasm), or emscripten's script (.js).
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serve } from './serve.mjs';
import { Chromium } from './chromium.mjs';

const [chromium, program] = process.argv.slice(2);
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const module = program.replace(/\.js$/, '.wasm');
const files = {
  '/program.html': here('program.html'),
  '/program.js': here('program.js'),
  '/emscripten.mjs': here('emscripten.mjs'),
  '/wasi.js': here('../../../wasm/example/wasi.js'),
  [`/made/${basename(program)}`]: resolve(program),
  [`/made/${basename(module)}`]: resolve(module),
};
const { server, address } = await serve(files);
const browser = await Chromium.start(chromium);
await browser.open(`${address}/program.html`);
const source = JSON.stringify(`/made/${basename(program)}`);
await browser.evaluate(`import('/program.js').then(async ({ prepare }) => { globalThis.run = await prepare(${source}); })`);

const door = createServer(async (request, response) => {
  try {
    const answer = await browser.evaluate(`run(${JSON.stringify(await text(request))})`);
    response.end(JSON.stringify(answer));
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
});
door.listen(0, '127.0.0.1');
await once(door, 'listening');
console.log(`http://127.0.0.1:${door.address().port}`);

await text(process.stdin);
await browser.close();
server.close();
door.close();
