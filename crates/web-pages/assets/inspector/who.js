// @ts-check
// The form that says whose client is meant: a user, claims of its token, and what it subscribes to.
import { fill, h } from './dom.js';
import { parse, write } from './json.js';

export class Who {
  /** @type {{ row: HTMLElement, stream: HTMLSelectElement, parameters: HTMLInputElement }[]} */
  #subscriptions = [];
  /** @type {string[]} */
  #streams = [];

  /**
   * @param {import('./main.js').App} app
   * @param {() => void} submit
   */
  constructor(app, submit) {
    this.app = app;
    this.name = h('input', { required: true, autocomplete: 'off', list: 'known-users', placeholder: 'alice' });
    this.users = h('datalist', { id: 'known-users' });
    this.claims = this.#object('{"role": "admin"}');
    this.parameters = this.#object('{"device": "phone"}');
    this.list = h('div', { class: 'stack tight' });
    this.add = h('button', { type: 'button', class: 'quiet', onclick: () => this.#add() }, 'Add a subscription');
    this.problem = h('p', { class: 'bad-text', role: 'alert' });
    this.element = h(
      'form',
      { class: 'card', onsubmit: (/** @type {SubmitEvent} */ event) => (event.preventDefault(), submit()) },
      h('header', {}, h('h2', {}, 'Whose client?')),
      h(
        'div',
        { class: 'body stack' },
        h('div', { class: 'row fields-row' }, h('label', { class: 'field' }, 'User', this.name), h('button', { class: 'primary', type: 'submit' }, 'Show'), this.add),
        this.users,
        this.list,
        h('details', {}, h('summary', {}, 'Claims of the token, parameters of the connection'), h('div', { class: 'fields' }, h('label', { class: 'field' }, 'Further claims, as a JSON object', this.claims), h('label', { class: 'field' }, 'Parameters of the connection, as a JSON object', this.parameters))),
        this.problem,
      ),
    );
  }

  /** @param {string} placeholder */
  #object(placeholder) {
    return h('input', { class: 'mono', autocomplete: 'off', spellcheck: 'false', placeholder });
  }

  get user() {
    return this.name.value.trim();
  }

  set user(name) {
    this.name.value = name;
  }

  /** What the client subscribes to. */
  get subscriptions() {
    return this.#subscriptions.map(({ stream, parameters }) => ({ stream: stream.value, parameters: parameters.value }));
  }

  /** Finds users and streams to choose from. */
  async prepare() {
    const { store, api } = this.app;
    const known = new Set([...(store.about?.users ?? []), ...store.status.clients.map((/** @type {any} */ client) => client.user)]);
    fill(this.users, [...known].map((name) => h('option', { value: name })));
    if (this.name.value === '' && store.about?.users?.length > 0) this.name.value = store.about.users[0];
    const plan = await api.ask('/api/admin/v1/plan').catch(() => null);
    this.#streams = (plan?.plan?.streams ?? []).map((/** @type {any} */ stream) => stream.name);
    this.add.hidden = this.#streams.length === 0;
  }

  #add() {
    const stream = h('select', {}, this.#streams.map((name) => h('option', { value: name }, name)));
    const parameters = this.#object('{"id": "…"}');
    const remove = h('button', { type: 'button', class: 'quiet', 'aria-label': 'Remove the subscription', onclick: () => this.#remove(row) }, 'Remove');
    const row = h('div', { class: 'row fields-row' }, h('label', { class: 'field' }, 'Stream', stream), h('label', { class: 'field grow' }, 'Parameters, as a JSON object', parameters), remove);
    this.#subscriptions.push({ row, stream, parameters });
    this.list.append(row);
    stream.focus();
  }

  /** @param {HTMLElement} row */
  #remove(row) {
    this.#subscriptions = this.#subscriptions.filter((one) => one.row !== row);
    row.remove();
    this.add.focus();
  }

  /** The request; null if a field is wrong, which is then said. @returns {any} */
  request() {
    fill(this.problem);
    if (this.user === '') {
      this.name.reportValidity();
      return null;
    }
    try {
      return {
        user: this.user,
        claims: object(this.claims, 'The claims'),
        parameters: object(this.parameters, 'The parameters of the connection'),
        subscriptions: this.#subscriptions.map(({ stream, parameters }) => ({ stream: stream.value, parameters: object(parameters, `The parameters of ${stream.value}`) })),
        include_defaults: true,
      };
    } catch (error) {
      fill(this.problem, /** @type {Error} */ (error).message);
      return null;
    }
  }
}

/**
 * @param {HTMLInputElement} field
 * @param {string} what
 */
function object(field, what) {
  const text = field.value.trim();
  if (text === '') return {};
  try {
    const value = parse(text);
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      // Numbers keep their digits only as far as JavaScript has them.
      return JSON.parse(write(value));
    }
  } catch {
    // Said below.
  }
  field.focus();
  throw new Error(`${what} must be a JSON object, such as ${field.placeholder}.`);
}
