// Pictures of the playground.
import { devices } from './playground.mjs';

const SEEDED = ['Bread', 'x Apples', 'Coffee'];

/** Both devices when they have synced. */
async function synced(page) {
  const { phone, laptop } = devices(page);
  await page.click('button', 'Reset everything');
  await page.waitFor(() => !document.getElementById('reset').disabled);
  for (const device of [phone, laptop]) {
    await device.items(...SEEDED);
    await device.upToDate();
  }
  return { phone, laptop };
}

/** The phone is offline, and both have written. */
async function offline(page) {
  const { phone, laptop } = await synced(page);
  await phone.switch();
  await phone.press('checkbox', 'Bread, done');
  await phone.add('Milk');
  await phone.press('textbox', 'Text of Coffee');
  await page.press('Control+a');
  await page.type('Good coffee');
  await page.press('Enter');
  await phone.queue('Set “Bread” to done', 'Added “Milk”', 'Renamed “Coffee” to “Good coffee”');
  await laptop.add('Cake with twelve candles');
  await laptop.upToDate();
  await page.evaluate('(document.activeElement.blur(), scrollTo(0, 0))');
}

/** What was uploaded for a list that is gone is refused. */
async function refused(page) {
  const { phone, laptop } = await synced(page);
  await phone.switch();
  await phone.add('Milk');
  await laptop.press('button', 'Delete the list Groceries');
  await laptop.items('x Book the train', 'Find the swimming things');
  await laptop.upToDate();
  await phone.switch();
  await phone.see('Refused');
  await page.evaluate("(document.querySelector('.phone details').open = true, document.activeElement.blur())");
}

export default [
  { name: 'playground', path: '/', show: offline },
  { name: 'playground-synced', path: '/', show: synced },
  { name: 'playground-refused', path: '/', show: refused },
  { name: 'playground-without', path: '/assets/playground/without.html' },
];
