// The playground in Chromium, from the built program: two devices sync, work offline, and converge.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { accessible, DESKTOP, PHONE, SMALLEST, startBrowser, startDev } from './harness.mjs';
import { playground } from './playground.mjs';

let dev;
let browser;
let page;
let phone;
let laptop;

before(async () => {
  [dev, browser] = await Promise.all([startDev(), startBrowser()]);
  page = await browser.page();
  ({ phone, laptop } = await playground(page, dev));
});

afterEach(async () => {
  await page.click('button', 'Reset everything');
  await page.waitFor(() => !document.getElementById('reset').disabled);
});

after(async () => {
  await browser?.close();
  await dev?.end();
});

const SEEDED = ['Bread', 'x Apples', 'Coffee'];

/** Both show the same, and nothing waits. */
async function converge(...items) {
  for (const pane of [phone, laptop]) {
    await pane.items(...items);
    await pane.upToDate();
  }
}

test('both devices sync, and how long the first row takes', async () => {
  const first = await page.waitFor(() => document.querySelector('.items li') && performance.now());
  console.log(`the first row after ${Math.round(first)} ms`);
  await converge(...SEEDED);
  assert.deepEqual(page.problems, []);
  assert.deepEqual(page.requests.filter((address) => !address.startsWith(dev.url)), []);
});

test('what one device changes appears on the other', async () => {
  await converge(...SEEDED);
  await phone.add('Milk');
  await laptop.items(...SEEDED, 'Milk');
  await laptop.press('checkbox', 'Milk, done');
  await phone.items(...SEEDED, 'x Milk');
  await page.fill('textbox', 'Name of the list on the laptop', 'Shopping');
  await page.press('Enter');
  await phone.see('Shopping');
  await phone.press('button', 'Delete Milk');
  await converge(...SEEDED);
});

test('offline, both write; the gate says why it is closed, and both converge', async () => {
  await converge(...SEEDED);
  await phone.switch();
  await phone.connection('Offline');
  await phone.gate('Gate open');
  await phone.press('checkbox', 'Bread, done');
  await phone.add('Milk');
  await phone.press('textbox', 'Text of Coffee');
  await page.press('Control+a');
  await page.type('Good coffee');
  await page.press('Enter');
  await phone.press('button', 'Delete Apples');
  await phone.items('x Bread', 'Milk', 'Good coffee');
  await phone.queue('Set “Bread” to done', 'Added “Milk”', 'Renamed “Coffee” to “Good coffee”', 'Deleted “Apples”');
  await phone.gate('Gate closed', 'until your 4 changes are uploaded');

  await laptop.add('Cake');
  await laptop.upToDate();
  await laptop.items(...SEEDED, 'Cake');
  await phone.items('x Bread', 'Milk', 'Good coffee');

  await phone.switch();
  await converge('x Bread', 'Milk', 'Good coffee', 'Cake');
});

test('lists can be added, renamed and deleted with their items', async () => {
  await converge(...SEEDED);
  await phone.switch();
  await phone.addList('Birthday');
  await phone.items();
  await phone.see('Nothing on this list yet.');
  await phone.add('Cake');
  await phone.items('Cake');
  await phone.press('button', 'Delete the list Birthday');
  await phone.queue('Added list “Birthday”', 'Added “Cake”', 'Deleted list “Birthday” and its item');
  await phone.items(...SEEDED);
  await phone.press('button', 'Delete the list Groceries');
  await phone.press('button', 'Delete the list Trip to the sea');
  await phone.see('No lists yet. Make one.');
  await phone.switch();
  await laptop.see('No lists yet. Make one.');
  await Promise.all([phone.upToDate(), laptop.upToDate()]);
});

test('a write that the service refuses is shown with its reason', async () => {
  await converge(...SEEDED);
  await phone.switch();
  await phone.add('Milk');
  await laptop.press('button', 'Delete the list Groceries');
  await laptop.items('x Book the train', 'Find the swimming things');
  await laptop.upToDate();
  await phone.switch();
  await phone.see('Refused: ');
  await phone.see('Added “Milk”');
  await phone.see('(UNAUTHORIZED)');
  await phone.press('button', 'Dismiss');
  await phone.upToDate();
  await phone.see('Nothing. What you change is uploaded at once.');
  await phone.items('x Book the train', 'Find the swimming things');
});

test('another user sees other lists, and is asked before something is lost', async () => {
  await converge(...SEEDED);
  const choose = async (user) => {
    await page.focus('combobox', 'User of the phone');
    await page.type(user[0]);
  };
  await choose('bob');
  await phone.items('Cut the hedge', 'Plant tulips');
  await laptop.items(...SEEDED);
  await phone.switch();
  await phone.add('Roses');
  await phone.queue('Added “Roses”');
  await choose('alice');
  await page.see('1 change of bob is not uploaded, and would be lost.');
  await page.click('button', 'Cancel');
  await phone.items('Cut the hedge', 'Plant tulips', 'Roses');
  await choose('alice');
  await page.click('button', 'Sign in as alice');
  await phone.connection('Offline');
  await phone.see('No lists yet');
  await phone.switch();
  await phone.items(...SEEDED);
});

test('the log shows what is sent and received, as long as it is open', async () => {
  await converge(...SEEDED);
  const log = (kind) => `.${kind} .log`;
  await page.evaluate(`document.querySelector('${log('phone')} summary').click()`);
  await page.waitFor((selector) => document.querySelector(selector).innerText.includes('{"checkpoint_complete":'), log('phone'));
  await laptop.add('Milk');
  await page.waitFor((selector) => document.querySelector(selector).innerText.includes('Milk'), log('phone'));
  await page.evaluate(`document.querySelector('${log('phone')} summary').click()`);
  assert.equal(await page.evaluate(`document.querySelector('${log('phone')} ol').checkVisibility()`), false);
});

test('one device is reset alone', async () => {
  await converge(...SEEDED);
  await phone.switch();
  await phone.add('Milk');
  await laptop.add('Cake');
  await laptop.upToDate();
  await phone.press('button', 'Reset this phone');
  await phone.queue();
  await phone.switch();
  await converge(...SEEDED, 'Cake');
});

test('the keyboard is enough', async () => {
  await converge(...SEEDED);
  await page.focus('switch', 'Phone is online');
  await page.press('Space');
  await phone.connection('Offline');
  const focused = () => page.evaluate("document.activeElement.getAttribute('aria-label')");
  while ((await focused()) !== 'Bread, done') await page.press('Tab');
  await page.press('Space');
  await phone.queue('Set “Bread” to done');
  await page.press('Tab');
  await page.press('Control+a');
  await page.type('Rye');
  await page.press('Escape');
  await phone.items('x Bread', 'x Apples', 'Coffee');
  while ((await focused()) !== 'Delete Bread') await page.press('Tab');
  await page.press('Enter');
  await phone.items('x Apples', 'Coffee');
  assert.equal(await focused(), 'Delete Apples');
  while ((await focused()) !== 'New item on the phone') await page.press('Tab');
  await page.type('Rice');
  await page.press('Enter');
  await phone.items('x Apples', 'Coffee', 'Rice');
  assert.equal(await focused(), 'New item on the phone');
  await page.focus('switch', 'Phone is online');
  await page.press('Space');
  await converge('x Apples', 'Coffee', 'Rice');
});

test('it is accessible in all sizes and schemes, also with texts that are long', async () => {
  await converge(...SEEDED);
  await phone.switch();
  await phone.add(`Something with a name of many words ${'and a word without an end'.replaceAll(' ', '').repeat(5)}`);
  await phone.see('Added “Something');
  for (const size of [DESKTOP, PHONE, SMALLEST]) {
    for (const scheme of ['light', 'dark']) {
      const other = await browser.page({ ...size, scheme, motion: 'reduce' });
      const panes = await playground(other, dev);
      await panes.phone.connection('Offline');
      await panes.laptop.upToDate();
      await accessible(other);
      await other.close();
    }
  }
  await phone.switch();
});

test('the page of a program without the parts says how to get them', async () => {
  const other = await browser.page(SMALLEST);
  await other.open(`${dev.url}/assets/playground/without.html`);
  await other.see('cargo xtask browser');
  await other.find('link', 'inspector');
  await accessible(other);
  await other.close();
});
