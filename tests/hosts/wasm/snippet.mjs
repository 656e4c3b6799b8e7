// Prints what a page shows that uses a program made by emscripten: `node snippet.mjs CHROMIUM PAGE.html PROGRAM.js`.
// It finds the program next to itself.
import { basename, resolve } from 'node:path';
import { serve } from './serve.mjs';
import { Chromium } from './chromium.mjs';

const [chromium, page, program] = process.argv.slice(2);
const module = program.replace(/\.js$/, '.wasm');
const files = {
  '/page.html': resolve(page),
  [`/${basename(program)}`]: resolve(program),
  [`/${basename(module)}`]: resolve(module),
};
const { server, address } = await serve(files);
const browser = await Chromium.start(chromium);
try {
  await browser.open(`${address}/page.html`);
  // The page is done when it shows something.
  const shown = `new Promise((resolve) => {
    const look = () => document.body.innerText.trim() && resolve(document.body.innerText);
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
    look();
  })`;
  console.log(await browser.evaluate(shown));
} finally {
  await browser.close();
  server.close();
}
