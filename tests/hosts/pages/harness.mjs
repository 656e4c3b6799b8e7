// What the tests of the pages are made of: a headless Chromium, the built program as `rowtide dev`, and pages to use.
//
//   const dev = await startDev();
//   const browser = await startBrowser();
//   const page = await browser.page({ width: 390, height: 844, scheme: 'dark' });
//   await page.open(`${dev.url}/docs`);
//   await page.click('link', 'Inspector');
//   await accessible(page);
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program } from '../node/service/program.js';
import { Chromium } from '../wasm/chromium.mjs';
import { problems } from './accessibility.mjs';
import { Page } from './page.mjs';

/** The sizes for which pages are made. */
export const DESKTOP = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };
export const SMALLEST = { width: 360, height: 640 };

/** A browser with one profile. */
class Browser {
  #chromium;

  constructor(chromium) {
    this.#chromium = chromium;
  }

  /** Opens a page of this size, for somebody who prefers this. */
  async page({ width, height, scheme, motion } = DESKTOP) {
    const page = await new Page(await this.#chromium.page()).prepare();
    await page.viewport(width ?? DESKTOP.width, height ?? DESKTOP.height);
    await page.prefer({ scheme, motion });
    return page;
  }

  close() {
    return this.#chromium.close();
  }
}

/** Starts the browser that CHROMIUM names, or the one that is installed. */
export async function startBrowser() {
  return new Browser(await Chromium.start(process.env.CHROMIUM || 'chromium'));
}

/** A development service with its own folder. */
class Dev extends Program {
  #directory;

  constructor(directory, args) {
    // Without an admin token, this machine may administer it. What it does not remove when it is killed is in our folder, too.
    const variables = { ROWTIDE_ADMIN_TOKEN: undefined, TMPDIR: directory, TMP: directory };
    super(directory, ['dev', ...args, '--ephemeral', '--deterministic'], variables);
    this.#directory = directory;
  }

  /** Asks it for JSON; with a body, that is posted. */
  async ask(path, body) {
    const options = body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(`${this.url}${path}`, options);
    const text = await response.text();
    assert.ok(response.ok, `${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  }

  /** A token for a user. */
  async token(user) {
    return (await fetch(`${this.url}/dev/token?user=${encodeURIComponent(user)}`)).text();
  }

  /** Ends it, and removes its folder. */
  async end() {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/**
 * Starts the program as `rowtide dev`, on a free port, with files that it finds in its folder. Without a configuration it is the
 * todo app; `args` are further arguments.
 */
export async function startDev({ files = {}, args = [] } = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'rowtide-pages-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  const dev = new Dev(directory, args);
  try {
    await dev.start();
  } catch (error) {
    await dev.end();
    throw error;
  }
  return dev;
}

/**
 * Fails if something is wrong with the page as it is now, or was with its scripts. `{ keyboard: false }` leaves out going
 * through it with Tab, for a page that was gone through in another size or scheme.
 */
export async function accessible(page, options) {
  assert.deepEqual([...(await problems(page, options)), ...page.problems], []);
}

/** Writes a picture of what a page shows into target/pages/screenshots. */
export function screenshot(page, name, options) {
  return page.screenshot(name, options);
}
