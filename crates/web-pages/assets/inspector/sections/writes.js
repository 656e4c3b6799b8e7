// @ts-check
// Writes: what clients have uploaded last, and transactions that were refused.
import { confirm } from '../dialog.js';
import { empty, failure, fill, h, pill, setText } from '../dom.js';
import { clientId, count, duration, number, shortened, time } from '../format.js';
import { Table } from '../table.js';

/** @type {Record<string, [any, string]>} */
const RESULTS = { success: ['good', 'applied'], fatal_error: ['bad', 'refused'], retryable_error: ['warn', 'to be tried again'], not_attempted: ['', 'not attempted'] };
/** @type {Record<string, [any, string]>} */
const STATES = { open: ['warn', 'open'], replayed: ['good', 'replayed'], discarded: ['', 'discarded'] };

/**
 * @param {HTMLElement} element
 * @param {import('../main.js').App} app
 * @returns {import('../main.js').Section}
 */
export function writes(element, app) {
  const section = new Writes(app);
  element.append(section.element);
  return { show: ([letter]) => section.show(letter), update: () => section.load() };
}

class Writes {
  /** @type {string | undefined} */
  #open;
  #seen = '';
  #isLoading = false;
  /** @type {HTMLElement | null} */
  #detail = null;

  /** @param {import('../main.js').App} app */
  constructor(app) {
    this.app = app;
    this.summary = h('p', { class: 'muted' });
    this.problem = h('div');
    this.log = new Table({
      label: 'Last transactions',
      key: (row) => String(row.number),
      sorted: { column: 'at', descending: true },
      columns: [
        { name: 'at', label: 'When', sort: (row) => row.number, cell: (row) => time(row.at) },
        { name: 'user', label: 'User', sort: (row) => row.user, cell: (row) => shortened(row.user, 30) },
        { name: 'client', label: 'Client', sort: (row) => row.client, cell: (row) => (row.client ? h('code', {}, clientId(row.client)) : h('span', { class: 'muted' }, 'not said')) },
        { name: 'operations', label: 'Operations', sort: (row) => row.operation_count, cell: operations },
        { name: 'result', label: 'Result', sort: (row) => row.outcome.status, cell: result },
        { name: 'duration', label: 'Took', kind: 'number', sort: (row) => row.duration, cell: (row) => duration(row.duration) },
      ],
      empty: empty('Nothing was uploaded since the service was started.'),
    });
    this.state = h('select', { onchange: () => this.load() }, [['open', 'Open'], ['replayed', 'Replayed'], ['discarded', 'Discarded'], ['', 'All']].map(([value, text]) => h('option', { value }, text)));
    this.letters = new Table({
      label: 'Refused transactions',
      key: (row) => String(row.id),
      sorted: { column: 'at', descending: true },
      columns: [
        { name: 'at', label: 'When', sort: (row) => row.id, cell: (row) => time(row.at) },
        { name: 'user', label: 'User', sort: (row) => row.user, cell: (row) => shortened(row.user, 30) },
        { name: 'code', label: 'Why', sort: (row) => row.error_code, cell: (row) => h('div', {}, h('code', {}, row.error_code), h('p', { class: 'small muted sentence' }, row.message)) },
        { name: 'state', label: 'State', sort: (row) => row.state, cell: (row) => [pill(...STATES[row.state]), row.note && h('p', { class: 'small muted' }, row.note)] },
        { name: 'actions', label: 'Decide', kind: 'actions', cell: (row) => this.#actions(row) },
      ],
      empty: empty('There is none in this state.'),
      below: (row) => (String(row.id) === this.#open ? this.#detail : null),
    });
    this.refused = h('section', { class: 'card', id: 'refused' }, h('header', {}, h('h2', {}, 'Refused transactions'), h('label', { class: 'inline push' }, h('span', { class: 'small muted' }, 'State'), this.state)), this.letters.element);
    this.lists = h('div', { class: 'stack' }, this.refused, h('section', { class: 'card' }, h('header', {}, h('h2', {}, 'Last transactions'), h('span', { class: 'small muted' }, 'kept in memory, without values')), this.log.element));
    this.element = h('div', { class: 'stack' }, this.summary, this.problem, this.lists);
  }

  /** @param {string | undefined} letter */
  async show(letter) {
    this.#open = undefined;
    await this.load();
    if (letter !== undefined) await this.#toggle(letter);
  }

  async load() {
    if (!this.app.store.status.takes_writes) {
      this.lists.hidden = true;
      return setText(this.summary, 'This service takes no writes. Start it with --writes and a file of rules, and clients can upload theirs.');
    }
    if (this.#isLoading) return;
    this.#isLoading = true;
    try {
      const [{ transactions, counters }, { dead_letters: letters }] = await Promise.all([
        this.app.api.ask('/api/admin/v1/writes', { query: { limit: 200 } }),
        this.app.api.ask('/api/admin/v1/dead-letters', { query: { state: this.state.value, limit: 200 } }),
      ]);
      this.log.show(transactions);
      this.letters.show(letters);
      const here = this.app.store.status.process ? ' by this process' : '';
      setText(this.summary, `Since the start${here}: ${count(counters.applied, 'transaction')} applied, ${number(counters.fatal)} refused, ${number(counters.retryable)} to be tried again, ${number(counters.repeated)} repeated.`);
      if (this.#seen) fill(this.problem);
      this.#seen = '';
    } catch (error) {
      this.#seen = 'failed';
      fill(this.problem, failure(/** @type {any} */ (error)));
    }
    this.#isLoading = false;
  }

  /** @param {any} letter */
  #actions(letter) {
    const show = h('button', { type: 'button', class: 'quiet', 'aria-label': `Show ${letter.id}`, onclick: () => this.#toggle(String(letter.id)) }, 'Show');
    if (letter.state !== 'open') return [show];
    return [
      show,
      h('button', { type: 'button', class: 'quiet', 'aria-label': `Replay ${letter.id}`, onclick: () => this.#replay(letter) }, 'Replay'),
      h('button', { type: 'button', class: 'quiet danger', 'aria-label': `Discard ${letter.id}`, onclick: () => this.#discard(letter) }, 'Discard'),
    ];
  }

  /** @param {string} id */
  async #toggle(id) {
    if (this.#open === id) {
      this.#open = undefined;
      return this.load();
    }
    try {
      const { dead_letter: letter } = await this.app.api.ask(`/api/admin/v1/dead-letters/${encodeURIComponent(id)}`);
      this.#open = id;
      this.#detail = detail(letter);
      if (this.state.value !== '' && this.state.value !== letter.state) this.state.value = letter.state;
      await this.load();
    } catch (error) {
      fill(this.problem, failure(/** @type {any} */ (error)));
    }
  }

  /** @param {any} letter */
  #replay(letter) {
    const run = async () => {
      const { result: replayed } = await this.app.api.ask(`/api/admin/v1/dead-letters/${letter.id}/replay`, { body: {} });
      this.#open = undefined;
      await this.load();
      if (replayed.status !== 'success') throw new Error(`It was refused again: ${replayed.message ?? replayed.failed_operation?.message ?? replayed.status}`);
      this.app.say(`Transaction ${letter.id} is applied.`);
    };
    const body = h('p', {}, 'The transaction is applied once more as ', h('strong', {}, letter.user), ', by the rules and rows of now.');
    return confirm({ title: `Replay transaction ${letter.id}?`, body, action: 'Replay', run: described(run) });
  }

  /** @param {any} letter */
  #discard(letter) {
    const note = h('input', { autocomplete: 'off' });
    const run = async () => {
      await this.app.api.ask(`/api/admin/v1/dead-letters/${letter.id}/discard`, { body: { note: note.value || null } });
      this.#open = undefined;
      await this.load();
      this.app.say(`Transaction ${letter.id} is discarded.`);
    };
    const body = h('div', { class: 'stack' }, h('p', {}, `What ${letter.user} wanted to write is given up. It stays in the list of discarded ones.`), h('label', { class: 'field' }, 'Note, for those who look later', note));
    return confirm({ title: `Discard transaction ${letter.id}?`, body, action: 'Discard', tone: 'danger', run });
  }
}

/**
 * Errors of a dialog are shown by their descriptions.
 * @param {() => Promise<any>} run
 */
function described(run) {
  return async () => {
    try {
      return await run();
    } catch (error) {
      const { description, message } = /** @type {any} */ (error);
      throw { description: description ?? message };
    }
  };
}

/** @param {any} letter */
function detail(letter) {
  const { crud = [] } = letter.transaction ?? {};
  const list = crud.map((/** @type {any} */ one, /** @type {number} */ index) =>
    h('li', { class: index === letter.failed_index ? 'wrong' : null }, h('strong', {}, one.op), ` ${one.table} `, h('code', {}, one.id), index === letter.failed_index ? h('span', { class: 'bad-text' }, ' refused') : null, one.op_data && h('pre', { tabindex: '0' }, JSON.stringify(one.op_data, null, 2))),
  );
  const facts = [
    ['Client', letter.client ?? 'not said'],
    ['Number in its queue', letter.transaction_id ?? 'not said'],
    ['Why', letter.message],
  ];
  return h('div', { class: 'stack letter' }, h('dl', { class: 'facts' }, facts.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])), h('ol', { class: 'operations' }, list));
}

/** @param {any} row */
function operations(row) {
  const shown = row.operations.slice(0, 3).map((/** @type {any} */ one) => h('li', {}, h('span', { class: 'muted' }, `${one.op} ${one.table} `), h('code', {}, shortened(one.id, 24))));
  const more = row.operation_count - shown.length;
  return h('ul', { class: 'plain-list' }, shown, more > 0 && h('li', { class: 'muted' }, `and ${count(more, 'more', 'more')}`));
}

/** @param {any} row */
function result({ outcome, is_repeated: isRepeated, dead_letter: letter }) {
  const [tone, text] = RESULTS[outcome.status] ?? ['', outcome.status];
  const notes = [isRepeated && 'it was there already', letter !== null && `replayed from ${letter}`].filter(Boolean).join(', ');
  const why = outcome.message ?? outcome.error_code;
  return h('div', {}, pill(tone, text), notes && h('span', { class: 'small muted' }, ` ${notes}`), outcome.error_code && h('p', { class: 'small' }, h('code', {}, outcome.error_code)), why && h('p', { class: 'small muted sentence' }, why));
}
