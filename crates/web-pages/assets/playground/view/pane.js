// One device on the page: who uses it, how it is connected, whether the gate is open, its app, its upload queue and its log.
import { el, icon, setAttribute, setText } from './dom.js';
import { LineLog } from './log.js';
import { UploadQueue } from './queue.js';
import { Status } from './status.js';
import { Tables } from './tables.js';
import { isTodoApp, TodoApp } from './todos.js';
import { counted } from './words.js';

export class Pane {
  #schema = null;
  #user = null;
  #app = null;
  #isShowing = false;
  #isShowingAgain = false;
  #users = [];

  /**
   * @param {import('./remote.js').RemoteDevice} device
   * @param {{name: string, kind: string, confirm: (question: string, action: string) => Promise<boolean>}} options
   */
  constructor(device, { name, kind, confirm }) {
    this.device = device;
    this.confirm = confirm;
    const failed = (error) => this.status.fail(error);
    this.context = { name: name.toLowerCase(), failed };
    this.status = new Status(device, this.context);
    this.queue = new UploadQueue(device, this.context);
    this.log = new LineLog(device, this.context);
    this.user = el('select', { 'aria-label': `User of the ${this.context.name}`, disabled: true, change: () => this.#changeUser() });
    this.online = el('input', { type: 'checkbox', role: 'switch', checked: true, disabled: true, change: () => this.#switch() });
    this.online.setAttribute('aria-label', `${name} is online`);
    this.onlineWord = el('span', { 'aria-hidden': 'true' }, 'Online');
    this.app = el('div', { class: 'app' });
    this.reset = el('button', { class: 'quiet small', click: () => this.resetDevice() }, `Reset this ${this.context.name}`);
    this.element = el(
      'section',
      { class: `device ${kind}`, 'aria-labelledby': `${kind}-title` },
      el(
        'header',
        {},
        icon(kind),
        el('h2', { id: `${kind}-title` }, name),
        this.user,
        el('label', { class: 'switch push' }, this.online, this.onlineWord)
      ),
      this.status.element,
      this.app,
      this.queue.element,
      el('footer', {}, this.log.element, this.reset)
    );
    device.addEventListener('state', () => this.#showState());
    device.addEventListener('log', () => this.log.show());
    device.addEventListener('crashed', () => this.status.tellOfCrash());
    device.addEventListener('changed', () => this.show());
    this.#showState();
  }

  /** The users that can be chosen. */
  offerUsers(names) {
    this.#users = names;
    if (this.#user) this.#showUsers(this.#user);
  }

  /** Removes everything from the device; it downloads again. */
  async resetDevice(parameters = {}) {
    this.#app?.clear();
    await this.device.reset(parameters).catch((error) => this.status.fail(error));
  }

  #showState() {
    const { state } = this.device;
    this.status.show(state);
    setAttribute(this.element, 'data-connection', !state || state.failure ? 'none' : !state.isOnline ? 'off' : state.connected ? 'on' : 'waiting');
    const isReady = Boolean(state && !state.failure);
    this.user.disabled = !isReady;
    this.online.disabled = !isReady;
    if (!isReady) return;
    this.#showUsers(state.user);
    this.online.checked = state.isOnline;
    setText(this.onlineWord, state.isOnline ? 'Online' : 'Offline');
    if (state.schema && state.schema !== this.#schema) this.#useSchema(state.schema);
    if (state.user !== this.#user) this.#app?.clear();
    this.#user = state.user;
    this.show();
  }

  #showUsers(user) {
    const users = this.#users.includes(user) ? this.#users : [...this.#users, user];
    const isNew = users.some((name, index) => this.user.options[index]?.value !== name);
    if (isNew) this.user.replaceChildren(...users.map((name) => el('option', { value: name }, name)));
    this.user.value = user;
  }

  #useSchema(text) {
    this.#schema = text;
    const schema = JSON.parse(text);
    const App = isTodoApp(schema) ? TodoApp : Tables;
    if (!(this.#app instanceof App)) {
      this.#app = new App(this.device, this.context);
      this.app.replaceChildren(this.#app.element);
    }
    if (this.#app instanceof Tables) this.#app.use(schema);
  }

  /** Shows what is in the database. One reading after the other: what changes meanwhile is read afterwards. */
  async show() {
    if (this.#isShowing) {
      this.#isShowingAgain = true;
      return;
    }
    this.#isShowing = true;
    do {
      this.#isShowingAgain = false;
      try {
        if (this.#app) {
          await this.#app.show();
          await this.queue.show(this.device.state, this.#app instanceof TodoApp);
        }
      } catch (error) {
        this.status.fail(error);
      }
    } while (this.#isShowingAgain);
    this.#isShowing = false;
  }

  #switch() {
    this.device.request('online', { isOnline: this.online.checked }).catch(this.context.failed);
  }

  /** Another user begins with an empty device. */
  async #changeUser() {
    const user = this.user.value;
    const { entries } = this.device.state.queue;
    const question = `${counted(entries, 'change')} of ${this.device.state.user} ${entries === 1 ? 'is' : 'are'} not uploaded, and would be lost.`;
    if (entries > 0 && !(await this.confirm(question, `Sign in as ${user}`))) {
      this.user.value = this.device.state.user;
      return;
    }
    await this.device.request('user', { user }).catch(this.context.failed);
  }
}
