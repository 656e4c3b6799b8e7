// What every page owes to those who use it by keyboard, with a screen reader, or with eyes that need contrast. Each check gives
// a list of sentences, one for each thing that is wrong.
import { keyOf } from './keys.mjs';
import { contrast, structure, noteControls } from './in-page.mjs';

/** Roles of what people operate, and of pictures. */
const NAMED = new Set([
  'button', 'checkbox', 'combobox', 'dialog', 'gridcell', 'image', 'img', 'link', 'listbox', 'menuitem', 'meter', 'option',
  'progressbar', 'radio', 'searchbox', 'slider', 'spinbutton', 'switch', 'tab', 'tabpanel', 'textbox', 'treeitem', 'navigation',
]);

/** Roles that may be empty. */
const MAY_BE_EMPTY = new Set(['gridcell']);

/** Everything that is wrong with the page as it is shown now. Going through it with Tab takes longest, and can be left out. */
export async function problems(page, { keyboard = true } = {}) {
  const found = [await names(page), await page.call(structure), await page.call(contrast), await overflow(page)];
  if (keyboard) found.push(await tabs(page));
  return found.flat();
}

/** Controls, pictures and landmarks without a name. */
export async function names(page) {
  const { nodes } = await page.send('Accessibility.getFullAXTree');
  const nameless = nodes.filter(
    ({ ignored, role, name }) => !ignored && NAMED.has(role?.value) && !MAY_BE_EMPTY.has(role.value) && !(name?.value ?? '').trim(),
  );
  return Promise.all(
    nameless.map(async ({ role, backendDOMNodeId: node }) => {
      const { outerHTML } = await page.send('DOM.getOuterHTML', { backendNodeId: node });
      return `a ${role.value} without a name: ${outerHTML.slice(0, 120)}`;
    }),
  );
}

/** Whether the page is wider than the window, and what makes it so. */
export function overflow(page) {
  return page.call(() => {
    const { clientWidth: width, scrollWidth } = document.documentElement;
    if (scrollWidth <= width) return [];
    const clipped = (element) => {
      for (let parent = element.parentElement; parent; parent = parent.parentElement) {
        if (parent !== document.body && parent !== document.documentElement && getComputedStyle(parent).overflowX !== 'visible') return true;
      }
      return false;
    };
    const wide = [...document.body.querySelectorAll('*')].filter((one) => one.getBoundingClientRect().right > width + 1 && !clipped(one));
    const names = wide.slice(-3).map((one) => one.outerHTML.slice(0, 120));
    return [`the page is ${scrollWidth} wide, the window ${width}: ${names.join('; ')}`];
  });
}

/** Goes through the page with Tab: every control is reached, shows that it has the focus, and is in sight. */
export async function tabs(page) {
  // Where the focus was, or what the address names, is where Tab would go on. A dialog keeps it.
  await page.call(() => {
    const start = document.createElement('span');
    start.tabIndex = -1;
    (document.querySelector('dialog:modal') ?? document.body).prepend(start);
    start.focus();
    start.remove();
    scrollTo(0, 0);
    getSelection().removeAllRanges();
  });
  await page.call(noteControls);
  const wrong = [];
  const limit = (await page.evaluate("globalThis[Symbol.for('controls')].all.length")) + 60;
  for (let number = 0; number < limit; number++) {
    // Without letting it go: each event waits for a frame.
    await page.send('Input.dispatchKeyEvent', { ...keyOf('Tab'), type: 'rawKeyDown' });
    const { done, problem } = await page.evaluate("globalThis[Symbol.for('controls')].visit()");
    if (problem) wrong.push(problem);
    if (done) break;
  }
  return [...wrong, ...(await page.evaluate("globalThis[Symbol.for('controls')].missed()"))];
}
