// @ts-check
// The way in: asks for the admin token, and says so if there is none that would do.
import { fill, h } from './dom.js';

/** The code of a request without a token. */
const NO_TOKEN = 'PSYNC_S2106';

export class Gate {
  isAsking = false;

  /**
   * @param {HTMLElement} element
   * @param {(isOpen: boolean) => void} opened is told when the rest of the page is to be shown, or not
   */
  constructor(element, opened) {
    this.element = element;
    this.opened = opened;
  }

  /**
   * Waits for a token. If none would do, for ever.
   * @param {import('./api.js').Refusal} refusal
   * @param {boolean} isFirst whether none was given before
   * @returns {Promise<string>}
   */
  ask(refusal, isFirst) {
    this.#show(true);
    if (refusal.status === 403) return this.#closed();
    return new Promise((resolve) => {
      const field = h('input', { type: 'password', autocomplete: 'current-password', required: true, 'aria-describedby': 'gate-problem' });
      const problem = h('p', { class: 'small bad-text', id: 'gate-problem', role: 'alert' }, refusal.code === NO_TOKEN ? '' : isFirst ? refusal.description : `That is not it. ${refusal.description}`);
      const submit = (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        const token = field.value.trim();
        // Others cannot be sent.
        if (!/^[\x21-\x7e]+$/.test(token)) return fill(problem, 'The token can only have letters, digits and signs of ASCII, without spaces.');
        this.#show(false);
        resolve(token);
      };
      fill(
        this.element,
        h(
          'form',
          { class: 'card', onsubmit: submit },
          h('h1', {}, 'Admin token'),
          h('p', {}, 'This service shows its inspector to those who have its admin token: what it was started with as ', h('code', {}, '--admin-token'), ' or ', h('code', {}, 'ROWTIDE_ADMIN_TOKEN'), '.'),
          h('label', { class: 'field' }, 'Admin token', field),
          problem,
          h('button', { class: 'primary', type: 'submit' }, 'Open the inspector'),
          h('p', { class: 'small muted' }, 'It is kept until this tab is closed.'),
        ),
      );
      field.focus();
    });
  }

  /** @returns {Promise<string>} */
  #closed() {
    fill(
      this.element,
      h(
        'div',
        { class: 'card' },
        h('h1', {}, 'This service has no admin token'),
        h('p', {}, 'Without one, nobody can look into it. Start it with a token that only you know:'),
        h('pre', { tabindex: '0' }, 'ROWTIDE_ADMIN_TOKEN=… rowtide serve …'),
        h('p', { class: 'small muted' }, 'A long random one is best, for instance what ', h('code', {}, 'openssl rand -hex 32'), ' prints. Then load this page again.'),
      ),
    );
    return new Promise(() => {});
  }

  /** @param {boolean} isAsking */
  #show(isAsking) {
    this.isAsking = isAsking;
    this.element.hidden = !isAsking;
    this.opened(!isAsking);
  }
}
