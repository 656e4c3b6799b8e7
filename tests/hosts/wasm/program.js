// Runs the program `tests/hosts/c/main.c` in a page, again for each input: made for WASI (.wasm) or by emscripten (.js).
import { runProgram } from './emscripten.mjs';
import { Wasi } from './wasi.js';

/** Prepares the program at an address; gives a function that runs it and gives its exit code and output. */
export async function prepare(address) {
  if (address.endsWith('.wasm')) {
    const module = await WebAssembly.compileStreaming(fetch(address));
    return async (input) => {
      const program = new Wasi(input);
      await program.instantiate(module);
      return { code: program.run(), output: program.output };
    };
  }
  await new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = address;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`cannot load ${address}`));
    document.head.append(script);
  });
  return (input) => runProgram(globalThis.createProgram, input, { quit: () => {} });
}
