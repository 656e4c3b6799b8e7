// Runs a program that emscripten has made, in a page or in Node.js.

/**
 * Gives the program its standard input and collects what it prints. `create` comes from emscripten's script; what it
 * promises is done when the program has started, not when it ends.
 */
export function runProgram(create, input, options = {}) {
  const bytes = new TextEncoder().encode(input);
  const output = [];
  let position = 0;
  const stdin = () => (position < bytes.length ? bytes[position++] : null);
  const stdout = (byte) => output.push(byte & 0xff);
  return new Promise((resolve, reject) => {
    const onExit = (code) => resolve({ code, output: new TextDecoder().decode(Uint8Array.from(output)) });
    create({ ...options, stdin, stdout, onExit, onAbort: (why) => reject(new Error(why)) }).catch(reject);
  });
}
