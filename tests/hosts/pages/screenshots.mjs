// Writes pictures of all pages into target/pages/screenshots, for somebody to look at: `node screenshots.mjs [NAME…]`.
//
// The views are in *.views.mjs: `{ name, path, show }`, where `show(page, dev)` brings the page into a state. Each is shown in
// both sizes and both schemes, unless it names its own `sizes`.
import { readdir } from 'node:fs/promises';
import { DESKTOP, PHONE, screenshot, startBrowser, startDev } from './harness.mjs';

const SIZES = { desktop: DESKTOP, phone: PHONE };

const wanted = process.argv.slice(2);
const files = (await readdir(new URL('.', import.meta.url))).filter((name) => name.endsWith('.views.mjs')).sort();
const views = (await Promise.all(files.map((name) => import(`./${name}`)))).flatMap((module) => module.default);
const chosen = views.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
if (chosen.length === 0) throw new Error(`no view has ${wanted.join(' or ')} in its name`);

const browser = await startBrowser();
try {
  for (const { name, path, show, sizes = Object.keys(SIZES), options } of chosen) {
    const dev = await startDev(options);
    try {
      for (const size of sizes) {
        for (const scheme of ['light', 'dark']) {
          const page = await browser.page({ ...SIZES[size], scheme, motion: 'reduce' });
          await page.open(`${dev.url}${path}`);
          await show?.(page, dev);
          await page.leave();
          console.log(await screenshot(page, `${name}-${size}-${scheme}`));
          await page.close();
        }
      }
    } finally {
      await dev.end();
    }
  }
} finally {
  await browser.close();
}
