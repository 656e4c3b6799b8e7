// @ts-check
// What would a user get: the buckets and rows that a client of somebody would have, and why it has a row or not.
import { empty, failure, fill, h } from '../dom.js';
import { count, number } from '../format.js';
import { json } from '../json.js';
import { Table } from '../table.js';
import { Who } from '../who.js';
import { explanation } from '../explanation.js';

/**
 * @param {HTMLElement} element
 * @param {import('../main.js').App} app
 * @returns {import('../main.js').Section}
 */
export function preview(element, app) {
  const section = new Preview(app);
  element.append(section.element);
  return { show: (place) => section.show(place) };
}

class Preview {
  #asked = 0;
  /** Whose rows are shown. */
  #shown = '';
  /** The table and the id of the row that is explained. @type {string[]} */
  #explained = [];

  /** @param {import('../main.js').App} app */
  constructor(app) {
    this.app = app;
    this.who = new Who(app, () => this.#evaluate());
    this.type = h('input', { required: true, list: 'preview-types', autocomplete: 'off', placeholder: 'todos' });
    this.types = h('datalist', { id: 'preview-types' });
    this.row = h('input', { required: true, autocomplete: 'off', placeholder: 'todo-1' });
    this.answer = h('div', { 'aria-live': 'polite' }, h('p', { class: 'muted small' }, 'Name any row of the source, or press Why? beside one that is shown.'));
    this.rows = h('div', { class: 'stack' }, h('div', { class: 'card' }, empty('Name a user. What its clients would get is shown here.')));
    const explain = h(
      'form',
      { class: 'card', onsubmit: (/** @type {SubmitEvent} */ event) => (event.preventDefault(), this.#explain()) },
      h('header', {}, h('h2', {}, 'Why is a row there, or not?')),
      h('div', { class: 'body stack' }, h('div', { class: 'row fields-row' }, h('label', { class: 'field' }, 'Table', this.type), h('label', { class: 'field' }, 'Row', this.row), h('button', { type: 'submit' }, 'Explain')), this.types, this.answer),
    );
    this.explainForm = explain;
    this.element = h('div', { class: 'views' }, this.who.element, explain, this.rows);
  }

  /** @param {string[]} place a user, and a row of a table */
  async show([user, type, id]) {
    await this.who.prepare();
    await this.#nameTables();
    if (user) this.who.user = user;
    if (this.who.user !== '' && this.who.user !== this.#shown) await this.#evaluate();
    if (type !== undefined && id !== undefined) {
      [this.type.value, this.row.value] = [type, id];
      await this.#explain();
    }
  }

  async #nameTables() {
    const schema = await this.app.api.ask('/api/admin/v1/schema', { body: {} }).catch(() => null);
    const tables = schema?.connections[0].schemas.flatMap((/** @type {any} */ one) => one.tables.map((/** @type {any} */ table) => table.name)) ?? [];
    fill(this.types, tables.map((/** @type {string} */ name) => h('option', { value: name })));
  }

  async #evaluate() {
    const request = this.who.request();
    if (request === null) return;
    const asked = ++this.#asked;
    try {
      const answer = await this.app.api.ask('/api/admin/v1/evaluate', { body: request });
      if (asked !== this.#asked) return;
      this.#draw(answer);
      this.#shown = this.who.user;
      this.#explained = [];
      fill(this.answer);
      this.#address();
    } catch (error) {
      if (asked === this.#asked) fill(this.rows, failure(/** @type {any} */ (error)));
    }
  }

  /** Has the address of the page lead to what is shown, unless the person has gone to another section meanwhile. */
  #address() {
    if (!location.hash.startsWith('#preview')) return;
    history.replaceState(null, '', `#${['preview', this.#shown, ...this.#explained].map(encodeURIComponent).join('/')}`);
  }

  /** @param {any} answer */
  #draw(answer) {
    const rows = answer.buckets.reduce((/** @type {number} */ sum, /** @type {any} */ bucket) => sum + bucket.rows.length, 0);
    const isCut = answer.buckets.some((/** @type {any} */ bucket) => bucket.has_more) || answer.bucket_count > answer.buckets.length;
    const summary = `${this.who.user} would get ${isCut ? 'more than ' : ''}${count(rows, 'row')} in ${count(answer.bucket_count, 'bucket')}, from ${count(answer.streams.length, 'stream')}.`;
    this.app.say(summary);
    const problems = answer.streams.flatMap((/** @type {any} */ stream) => stream.errors.map((/** @type {any} */ error) => `Stream ${stream.name}: ${error.message}`));
    const unknown = answer.unknown_streams.map((/** @type {string} */ name) => `The configuration has no stream ${name}.`);
    fill(
      this.rows,
      h('div', { class: 'row' }, h('h2', {}, summary), h('span', { class: 'muted small push' }, `at checkpoint ${number(Number(answer.checkpoint.op_id))}`)),
      [...problems, ...unknown].map((text) => h('p', { class: 'note warn' }, text)),
      answer.buckets.length === 0 ? h('div', { class: 'card' }, empty('No bucket. Is the user or a claim spelled as in the rows? Explain a row above to find out.')) : null,
      answer.buckets.map((/** @type {any} */ bucket) => this.#bucket(bucket)),
      answer.bucket_count > answer.buckets.length ? h('p', { class: 'muted small' }, `The first ${number(answer.buckets.length)} buckets are shown.`) : null,
    );
  }

  /** @param {any} bucket */
  #bucket(bucket) {
    const table = new Table({
      label: `Rows of ${bucket.name}`,
      key: (row) => `${row.type} ${row.id}`,
      columns: [
        { name: 'type', label: 'Table', sort: (row) => row.type, cell: (row) => row.type },
        { name: 'id', label: 'Row', sort: (row) => row.id, cell: (row) => h('code', {}, row.id) },
        { name: 'why', label: 'Why', kind: 'actions', cell: (row) => h('button', { type: 'button', class: 'quiet', 'aria-label': `Why ${row.type} ${row.id}?`, onclick: () => this.#why(row) }, 'Why?') },
        { name: 'data', label: 'Data', cell: (row) => json(row.data, row.data_bytes) },
      ],
      empty: empty('This bucket has no rows.'),
    });
    table.show(bucket.rows);
    const by = bucket.by.map((/** @type {any} */ one) => (one.stream === null ? this.who.subscriptions[one.subscription]?.stream : one.stream));
    const link = h('a', { href: `/inspect#buckets/${bucket.definition}/${encodeURIComponent(bucket.key)}` }, h('code', {}, bucket.name));
    return h(
      'section',
      { class: 'card' },
      h('header', {}, h('h3', { class: 'wrap' }, link), h('span', { class: 'small muted' }, `by ${[...new Set(by)].join(' and ')}, priority ${bucket.priority}, ${count(bucket.operations, 'operation')}`)),
      table.element,
      bucket.has_more ? h('p', { class: 'body muted small' }, 'There are more rows than are shown here.') : null,
    );
  }

  /** @param {any} row */
  async #why(row) {
    [this.type.value, this.row.value] = [row.type, row.id];
    await this.#explain();
    this.explainForm.scrollIntoView({ block: 'nearest' });
    this.row.focus({ preventScroll: true });
  }

  async #explain() {
    const request = this.who.request();
    if (request === null) return;
    const { include_defaults: _, ...rest } = request;
    try {
      const answer = await this.app.api.ask('/api/admin/v1/explain', { body: { type: this.type.value, id: this.row.value, ...rest } });
      fill(this.answer, explanation(answer, this.who.user));
      this.#explained = [this.type.value, this.row.value];
      this.#address();
    } catch (error) {
      fill(this.answer, failure(/** @type {any} */ (error)));
    }
  }
}

