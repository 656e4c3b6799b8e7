// Runs a WebAssembly program in Node.js, made for WASI (.wasm) or by emscripten (.js): standard input, output and exit
// code are the program's.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { WASI } from 'node:wasi';
import { runProgram } from './emscripten.mjs';

async function withWasi(program) {
  const wasi = new WASI({ version: 'preview1', args: [program], returnOnExit: true });
  const module = await WebAssembly.compile(readFileSync(program));
  return wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));
}

async function withEmscripten(program) {
  const create = createRequire(import.meta.url)(program);
  // Older versions of emscripten look for the module with `fetch` where there is one, which takes no file name in Node.js.
  const wasmBinary = readFileSync(program.replace(/\.js$/, '.wasm'));
  const { code, output } = await runProgram(create, readFileSync(0, 'utf8'), { wasmBinary, quit: () => {} });
  process.stdout.write(output);
  return code;
}

const [program] = process.argv.slice(2);
process.exitCode = program.endsWith('.wasm') ? await withWasi(program) : await withEmscripten(program);
