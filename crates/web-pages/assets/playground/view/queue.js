// What waits to be uploaded, and what was refused.
import { el, reconcile, setText } from './dom.js';
import { QUEUE, REJECTED, transactions } from './sentences.js';
import { counted } from './words.js';

/** How many entries of the queue are read. */
const ENTRIES = 60;

const NAMES = `SELECT 'todos/' || id AS row, description AS name FROM todos WHERE id IN (SELECT data ->> 'id' FROM ps_crud UNION SELECT id FROM powersync_rejected)
  UNION ALL SELECT 'lists/' || id, name FROM lists WHERE id IN (SELECT data ->> 'id' FROM ps_crud UNION SELECT id FROM powersync_rejected)`;

export class UploadQueue {
  #device;
  #failed;

  /** @param {import('./remote.js').RemoteDevice} device */
  constructor(device, { name, failed }) {
    this.#device = device;
    this.#failed = failed;
    this.count = el('span', { class: 'muted small' });
    this.list = el('ul', { class: 'sentences', 'aria-label': `Waiting to be uploaded from the ${name}` });
    this.rest = el('p', { class: 'muted small', hidden: true });
    this.empty = el('p', { class: 'muted small' }, 'Nothing. What you change is uploaded at once.');
    this.refused = el('ul', { class: 'sentences refused', 'aria-label': `Refused on the ${name}` });
    this.element = el(
      'section',
      { class: 'queue', 'aria-label': `Upload queue of the ${name}` },
      el('div', { class: 'row' }, el('h3', {}, 'Waiting to be uploaded'), this.count),
      el('div', { class: 'rows', tabindex: 0, role: 'group', 'aria-label': `Writes of the ${name}` }, this.refused, this.list, this.rest, this.empty)
    );
  }

  /** Shows the queue as it is now. */
  async show(state, isTodoApp) {
    const names = new Map();
    if (isTodoApp) for (const { row, name } of await this.#device.query(NAMES)) names.set(row, name);
    const queue = transactions(await this.#device.query(QUEUE, [ENTRIES]), names, isTodoApp);
    const refused = transactions(await this.#device.query(REJECTED, [ENTRIES]), names, isTodoApp);
    const total = state.queue.transactions;
    setText(this.count, total === 0 ? '' : String(total));
    this.empty.hidden = total > 0 || refused.length > 0;
    this.rest.hidden = total <= queue.length;
    setText(this.rest, `and ${counted(total - queue.length, 'more', 'more')}`);
    const text = (element, { text: sentence }) => setText(element, sentence);
    reconcile(this.list, queue, ({ id }) => id, () => el('li'), text);
    this.#showRefused(refused, state.upload.blockedBy, queue);
  }

  #showRefused(refused, blocked, queue) {
    const waiting = blocked && queue.find(({ id }) => id === blocked.id);
    const all = waiting ? [{ ...waiting, ...blocked, isBlocking: true }, ...refused] : refused;
    const key = ({ id, isBlocking }) => `${id} ${Boolean(isBlocking)}`;
    reconcile(this.refused, all, key, (item) => this.#refusal(item), (element, { text, code, message }) => {
      setText(element.firstElementChild, text);
      setText(element.children[1], `Refused: ${message ?? 'the service says no more'}${code ? ` (${code})` : ''}`);
    });
  }

  #refusal({ id, code, message, isBlocking }) {
    const ask = (command, parameters) => () => this.#device.request(command, { id, ...parameters }).catch(this.#failed);
    const buttons = isBlocking
      ? [el('button', { click: ask('reject', { code, message }) }, 'Take it out')]
      : [el('button', { click: ask('again') }, 'Try again'), el('button', { class: 'quiet', click: ask('discard') }, 'Dismiss')];
    return el('li', {}, el('strong'), el('span'), el('span', { class: 'row' }, ...buttons));
  }
}
