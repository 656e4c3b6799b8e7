// The log of a device: what it sends and receives, line by line. It can be folded away, and then costs nothing.
import { el, reconcile, setText } from './dom.js';
import { time } from './words.js';

const KINDS = {
  sent: ['↑', 'sent'],
  received: ['↓', 'received'],
  instruction: ['→', 'the extension says'],
  message: ['·', 'note']
};

export class LineLog {
  /** @param {import('./remote.js').RemoteDevice} device */
  constructor(device, { name }) {
    this.device = device;
    this.last = el('span', { class: 'muted last' });
    // A log that is read aloud while it grows would be a nuisance.
    this.list = el('ol', { class: 'lines', tabindex: 0, role: 'log', 'aria-live': 'off', 'aria-label': `Log of the ${name}` });
    this.element = el('details', { class: 'log', toggle: () => this.show() }, el('summary', {}, 'Log', this.last), this.list);
  }

  show() {
    const latest = this.device.log.findLast(({ kind }) => kind === 'received' || kind === 'sent');
    setText(this.last, latest && !this.element.open ? line(latest) : '');
    if (!this.element.open) return;
    // It follows the newest entry unless somebody has scrolled back.
    const isAtEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 30;
    reconcile(this.list, this.device.log, ({ number }) => String(number), make, () => {});
    if (isAtEnd) this.list.scrollTop = this.list.scrollHeight;
  }
}

function make(entry) {
  const [sign, name] = KINDS[entry.kind];
  return el(
    'li',
    { class: entry.kind },
    el('span', { class: 'at' }, time(entry.at)),
    el('span', { 'aria-hidden': 'true' }, sign),
    el('span', { class: 'unseen' }, `${name}: `),
    el('span', { class: 'text' }, entry.text, entry.length > entry.text.length && el('em', {}, ` … ${entry.length.toLocaleString('en')} characters`))
  );
}

function line(entry) {
  return `${KINDS[entry.kind][0]} ${entry.text.slice(0, 120)}`;
}
