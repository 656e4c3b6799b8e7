// The playground when something is wrong with the browser or the service: nothing is lost, and the page says what it is.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Program } from '../node/service/program.js';
import { accessible, startBrowser, startDev } from './harness.mjs';
import { playground } from './playground.mjs';
import { Workers } from './workers.mjs';

let browser;

before(async () => {
  browser = await startBrowser();
});

after(() => browser?.close());

const SEEDED = ['Bread', 'x Apples', 'Coffee'];

/** Runs a test with a service of its own, whose address no device has files for yet. */
async function withService(use) {
  const dev = await startDev();
  const page = await browser.page();
  try {
    await use({ dev, page });
  } finally {
    await page.close();
    await dev.end();
  }
}

test('two tabs show the same, and one takes over from the other', () =>
  withService(async ({ dev, page: first }) => {
    const one = await playground(first, dev);
    await one.phone.items(...SEEDED);
    const second = await browser.page();
    const two = await playground(second, dev);
    await two.phone.items(...SEEDED);

    await two.phone.switch();
    await one.phone.connection('Offline');
    await two.phone.add('Milk');
    await one.phone.items(...SEEDED, 'Milk');
    await one.phone.queue('Added “Milk”');
    await first.open('about:blank');

    await two.phone.add('Cake');
    await two.phone.queue('Added “Milk”', 'Added “Cake”');
    await two.phone.switch();
    for (const device of [two.phone, two.laptop]) {
      await device.items(...SEEDED, 'Milk', 'Cake');
      await device.upToDate();
    }
    assert.deepEqual(second.problems, []);
    await second.close();
  }));

test('a worker that crashes is started again, and nothing is lost', () =>
  withService(async ({ dev, page }) => {
    const workers = await Workers.of(page);
    const { phone, laptop } = await playground(page, dev);
    await phone.items(...SEEDED);
    await phone.switch();
    await phone.add('Milk');
    await phone.queue('Added “Milk”');

    await workers.run('phone', 'self.close()');
    await phone.see('The device has crashed, and was started again.');
    await phone.press('button', 'Fine');
    await phone.switch();
    for (const device of [phone, laptop]) await device.items(...SEEDED, 'Milk');

    // What ends at each start is left alone after some times.
    for (let times = 0; times < 2; times += 1) {
      await workers.run('laptop', 'self.close()');
      await laptop.see('The device has crashed, and was started again.');
      await laptop.press('button', 'Fine');
      await laptop.upToDate();
    }
    await workers.run('laptop', 'self.close()');
    await laptop.see('The device has stopped several times.');
    await laptop.connection('Not working');
    await laptop.press('button', 'Start it again');
    await laptop.items(...SEEDED, 'Milk');
  }));

test('a worker that cannot be loaded again, as the service is away, can be started later', () =>
  withService(async ({ dev, page }) => {
    const workers = await Workers.of(page);
    const { phone, laptop } = await playground(page, dev);
    for (const device of [phone, laptop]) await device.items(...SEEDED);
    await dev.kill();
    await workers.run('phone', 'self.close()');
    await phone.see('The device cannot be loaded. Does the service run?');
    await phone.connection('Not working');
    await dev.start();
    await phone.press('button', 'Start it again');
    await phone.items(...SEEDED);
    await phone.upToDate();
  }));

test('without files the database is in memory, and the page says so', () =>
  withService(async ({ dev, page }) => {
    await Workers.of(page, "navigator.storage.getDirectory = () => Promise.reject(new DOMException('Not in private windows', 'SecurityError'))");
    const { phone, laptop } = await playground(page, dev);
    await phone.see('This browser lets the page keep no files (Not in private windows).');
    await phone.items(...SEEDED);
    await accessible(page);
    await phone.add('Milk');
    await laptop.items(...SEEDED, 'Milk');
    await page.reload();
    await phone.items(...SEEDED, 'Milk');
  }));

test('storage that is full is said plainly, and nothing is lost', () =>
  withService(async ({ dev, page }) => {
    const { phone, laptop } = await playground(page, dev);
    await phone.items(...SEEDED);
    const quota = (quotaSize) => page.send('Storage.overrideQuotaForOrigin', { origin: new URL(dev.url).origin, ...quotaSize });
    await quota({ quotaSize: 1 });
    // Browsers set some space aside for each file before it is used.
    const field = ".phone .content > form input";
    await page.evaluate(`document.querySelector('${field}').value = 'a'.repeat(1_500_000)`);
    await page.focus('textbox', 'New item on the phone');
    await page.press('Enter');
    await phone.see('The browser gives this page no more storage.');
    await phone.items(...SEEDED);
    // What was typed is still there.
    await page.waitFor((field) => document.querySelector(field).value.length === 1_500_000, field);

    await quota({});
    await phone.press('button', 'Close');
    await page.evaluate(`document.querySelector('${field}').value = ''`);
    await phone.add('Milk');
    for (const device of [phone, laptop]) {
      await device.items(...SEEDED, 'Milk');
      await device.upToDate();
    }
  }));

test('a service that stops and starts again', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rowtide-playground-'));
  const service = new Program(directory, ['dev'], { ROWTIDE_ADMIN_TOKEN: undefined });
  try {
    await service.start();
    const page = await browser.page();
    const { phone, laptop } = await playground(page, service);
    await phone.items(...SEEDED);
    await laptop.items(...SEEDED);
    await service.kill();
    await phone.connection('No connection');
    await phone.add('Milk');
    await phone.gate('Gate closed', 'until your 1 change is uploaded');
    await phone.queue('Added “Milk”');
    await laptop.connection('No connection');
    await service.start();
    for (const device of [phone, laptop]) {
      await device.items(...SEEDED, 'Milk');
      await device.upToDate();
    }
    await page.close();
  } finally {
    await service.kill();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
});

test('a database that does not open can be deleted', () =>
  withService(async ({ dev, page }) => {
    await page.open(`${dev.url}/docs`);
    await page.evaluate(`(async () => {
      const directory = await navigator.storage.getDirectory();
      const file = await directory.getFileHandle('rowtide-phone.db', { create: true });
      const writable = await file.createWritable();
      await writable.write('this is no database, however long it is. '.repeat(1000));
      await writable.close();
    })()`);
    const { phone, laptop } = await playground(page, dev);
    await laptop.items(...SEEDED);
    await phone.connection('Not working');
    await phone.see('file is not a database');
    await phone.press('button', 'Delete it and begin anew');
    await phone.items(...SEEDED);
    await phone.upToDate();
  }));
