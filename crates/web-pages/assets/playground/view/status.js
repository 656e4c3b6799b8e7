// How a device is doing: its connection, its gate, and what went wrong.
import { el, setAttribute, setText } from './dom.js';
import { connection, gate, until } from './words.js';

export class Status {
  #device;
  #state = null;
  #timer = null;

  /** @param {import('./remote.js').RemoteDevice} device */
  constructor(device, { name }) {
    this.#device = device;
    this.bar = el('div', { class: 'progress', role: 'progressbar', 'aria-label': `Download of the ${name}`, 'aria-valuemin': 0, 'aria-valuemax': 100 });
    this.name = name;
    // Only what matters is read aloud, not each number that changes.
    this.spoken = el('span', { class: 'unseen', role: 'status' });
    this.connection = line(`Connection of the ${name}`);
    this.retry = el('button', { class: 'quiet small', hidden: true, click: () => this.#retry() }, 'Try now');
    this.connection.element.append(this.retry);
    this.gate = line(`Gate of the ${name}`);
    this.notes = el('div', { class: 'notes', role: 'alert' });
    this.element = el('div', { class: 'status' }, this.bar, this.connection.element, this.gate.element, this.spoken, this.notes);
  }

  show(state) {
    this.#state = state;
    const words = connection(state, this.#device.isBroken);
    this.connection.show(words);
    const gateWords = gate(state);
    this.gate.show(gateWords);
    const isTrouble = words.tone === 'warn' || words.tone === 'bad';
    setText(this.spoken, `The ${this.name}: ${words.word}${isTrouble ? `, ${words.text}` : ''}. ${gateWords.word}.`);
    this.#showProgress(state?.progress ?? null);
    this.#showNextAttempt(words.nextAttemptAt ?? null);
    this.#note('memory', state?.isKept === false, 'warn', `This browser lets the page keep no files (${state?.whyNotKept}). The database is in memory: it is gone when the page is closed.`);
    this.#note('broken', this.#device.isBroken, 'bad', this.#device.whyBroken, ['Start it again', () => this.#device.startAgain()]);
    this.#note('failure', Boolean(state?.failure), 'bad', 'The database cannot be opened.', ['Delete it and begin anew', () => this.#device.reset()]);
  }

  /** The worker has ended by itself, and another one is there. */
  tellOfCrash() {
    this.#note('crash', true, 'warn', 'The device has crashed, and was started again. What was written is still there.', ['Fine', () => this.#note('crash', false)]);
  }

  /** Something that was asked for was not done. */
  fail(error) {
    this.#note('error', true, 'bad', error.message, ['Close', () => this.#note('error', false)]);
  }

  #showProgress(progress) {
    const share = progress && progress.total > 0 ? Math.min(100, Math.round((100 * progress.done) / progress.total)) : null;
    this.bar.classList.toggle('active', share !== null && share < 100);
    setAttribute(this.bar, 'aria-valuenow', share ?? 100);
    this.bar.style.setProperty('--share', `${share ?? 100}%`);
  }

  #showNextAttempt(moment) {
    this.retry.hidden = moment === null;
    setAttribute(this.retry, 'title', moment === null ? null : until(moment));
    clearInterval(this.#timer);
    if (moment === null) return;
    this.#timer = setInterval(() => setAttribute(this.retry, 'title', until(moment)), 1000);
  }

  #retry() {
    this.#device.request('retry').catch((error) => this.fail(error));
  }

  #note(name, isThere, tone, text, action) {
    const present = this.notes.querySelector(`[data-name="${name}"]`);
    if (!isThere) return present?.remove();
    if (present) return setText(present.firstElementChild, text);
    const button = action && el('button', { class: 'small', click: action[1] }, action[0]);
    this.notes.append(el('div', { class: `note ${tone}`, 'data-name': name }, el('span', {}, text), button ?? null));
  }
}

/** A state as a word in its colour, and what it means. */
function line(label) {
  const pill = el('span', { class: 'pill' });
  const text = el('span', { class: 'text' });
  const element = el('div', { class: 'fact', role: 'group', 'aria-label': label }, pill, text);
  return {
    element,
    show(words) {
      setAttribute(pill, 'class', `pill ${words.tone}`);
      setText(pill, words.word);
      setText(text, words.text);
      setAttribute(text, 'title', words.text); // there is room for two lines
    }
  };
}
