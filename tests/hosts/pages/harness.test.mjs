// The harness itself: its checks find what is wrong, and its hands press what a person would.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { problems } from './accessibility.mjs';
import { accessible, startBrowser } from './harness.mjs';

const GOOD = `<!doctype html><html lang="en"><title>Good</title>
<style>
  :root { color-scheme: light dark } :focus-visible { outline: 2px solid Highlight }
  body { background: light-dark(#ffffff, #101010); color: light-dark(#222, #eee) }
  ::placeholder { color: light-dark(#666, #bbb) } .half { opacity: 0.6; color: light-dark(#111, #fff) }
</style>
<main><h1>Good</h1><h2>Parts</h2>
  <label>Name <input id="name" placeholder="a name" style="color: inherit; background: inherit"></label>
  <button onclick="this.nextElementSibling.textContent = 'Hello, ' + document.querySelector('#name').value">Greet</button> <output></output>
  <label><input type="checkbox" role="switch" onchange="setTimeout(() => document.querySelector('output').textContent = 'switched')"> online</label>
  <p class="half">Half</p><p><a href="#name">To the name</a></p>
</main>`;

/** Each page has one thing wrong, and the sentence that says so. */
const BAD = [
  [/a button without a name/, GOOD.replace('>Greet<', '><')],
  [/contrast 1\.\d+ of #dddddd on #ffffff in p.half/, GOOD.replace('class="half"', 'class="half" style="color: #ddd; opacity: 1"')],
  [/contrast 2\.\d+ .* in p.half/, GOOD.replace('opacity: 0.6', 'opacity: 0.35')],
  [/contrast .* in p.half/, GOOD.replace('class="half"', 'class="half" style="background: rgb(0 0 0 / 60%)"')],
  [/contrast .* in input/, GOOD.replace('</style>', '::placeholder { color: #ccc }</style>')],
  [/2 elements have the id name/, GOOD.replace('<output>', '<output id="name">')],
  [/for leads to no element/, GOOD.replace('<label>Name', '<label for="nowhere">x</label><label>Name')],
  [/a label without a control/, GOOD.replace('<p class', '<label>alone</label><p class')],
  [/a link to no place/, GOOD.replace('href="#name"', 'href="#nothing"')],
  [/a heading of level 3 after one of level 1/, GOOD.replaceAll('h2', 'h3')],
  [/0 headings of the first level/, GOOD.replaceAll('h1', 'b')],
  [/names no language/, GOOD.replace(' lang="en"', '')],
  [/no title/, GOOD.replace('Good</title>', '</title>')],
  [/the focus does not show: <button/, GOOD.replace('</style>', 'button:focus-visible { outline: none }</style>')],
  [/Tab does not reach <button/, GOOD.replace('</main>', '</main><script>document.querySelector("#name").onkeydown = (event) => { if (event.key === "Tab") { event.preventDefault(); document.querySelector("a").focus() } }</script>')],
  [/something covers what has the focus: <button/, GOOD.replace('</main>', '</main><div style="position: fixed; inset: 0; background: #fff8"></div>')],
  [/the page is \d+ wide, the window 1440: .*<p class="half"/, GOOD.replace('class="half"', 'class="half" style="width: 2000px"')],
];

let server;
let browser;
let shown = GOOD;

before(async () => {
  server = createServer((request, response) => response.setHeader('content-type', 'text/html').end(request.url === '/' ? shown : ''));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
});

async function open(content, options) {
  shown = content;
  const page = await browser.page(options);
  await page.open(`http://127.0.0.1:${server.address().port}/`);
  return page;
}

test('a good page is one, light and dark', async () => {
  for (const scheme of ['light', 'dark']) {
    const page = await open(GOOD, { scheme });
    await accessible(page);
    await page.close();
  }
});

test('each check finds what is wrong', async () => {
  const page = await open(GOOD);
  for (const [sentence, content] of BAD) {
    shown = content;
    await page.reload();
    const found = await problems(page);
    assert.ok(found.some((one) => sentence.test(one)), `${sentence}: ${JSON.stringify(found, undefined, 1)}`);
  }
  await page.close();
});

test('an error of a script is a problem', async () => {
  const page = await open(GOOD.replace('</main>', '</main><script>throw new Error("broken")</script>'));
  await assert.rejects(accessible(page), /broken/);
  await page.close();
});

test('controls are used by role and name', async () => {
  const page = await open(GOOD);
  await page.fill('textbox', 'Name', 'Ada + Grüße');
  await page.click('button', 'Greet');
  await page.see('Hello, Ada + Grüße');
  await page.fill('textbox', 'Name', 'x');
  await page.press('Tab', 'Enter');
  await page.see(/^Hello, x$|Hello, x/);
  await page.click('switch', /onl/);
  await page.see('switched');
  await page.findIn('switch', 'online', { checked: 'true' });
  await page.press('Space');
  await page.findIn('switch', 'online', { checked: 'false' });
  await page.close();
});
