// @ts-check
// Questions to the person, which the browser keeps in front of everything else.
import { fill, h, id } from './dom.js';

/**
 * Asks whether something is to be done. `run` does it; while it does, the dialog stays, and says what went wrong.
 * @param {{ title: string, body: any, action: string, tone?: 'primary' | 'danger', wide?: boolean, run: () => Promise<any> }} question
 * @returns {Promise<any>} what `run` gives; null if the person has decided against it
 */
export function confirm({ title, body, action, tone = 'primary', wide = false, run }) {
  const heading = id('dialog');
  const problem = h('div', { role: 'alert' });
  const confirmed = h('button', { class: tone, type: 'submit' }, action);
  const cancel = h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel');
  /** @type {any} */
  let result = null;
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    confirmed.disabled = true;
    try {
      result = await run();
      dialog.close();
    } catch (error) {
      fill(problem, h('p', { class: 'note bad' }, /** @type {any} */ (error).description ?? String(error)));
      confirmed.disabled = false;
    }
  };
  const form = h('form', { onsubmit: submit }, h('h2', { id: heading }, title), h('div', { class: 'dialog-body' }, body, problem), h('div', { class: 'row dialog-actions' }, cancel, confirmed));
  const dialog = h('dialog', { class: wide ? 'wide' : null, 'aria-labelledby': heading }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(result);
    });
  });
}
