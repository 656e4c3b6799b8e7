// @ts-check
// Source: tables with their rows in pages; in development they can be changed.
import { empty, failure, fill, h } from '../dom.js';
import { count, number } from '../format.js';
import { confirm } from '../dialog.js';
import { Table } from '../table.js';
import { cellOf, textOf } from '../cells.js';
import { editor } from '../row-editor.js';

const PAGE = 50;

/**
 * @param {HTMLElement} element
 * @param {import('../main.js').App} app
 * @returns {import('../main.js').Section}
 */
export function source(element, app) {
  const section = new Source(app);
  element.append(section.element);
  return { show: ([table]) => section.show(table), update: () => section.update() };
}

class Source {
  /** @type {any} */
  #page = null;
  #offset = 0;
  #filter = '';
  /** @type {{ column: string, descending: boolean } | null} */
  #sorted = null;
  /** @type {{ key: string | null, element: HTMLElement } | null} */
  #editing = null;
  #seen = -1;
  #asked = 0;
  #shown = 0;
  #tableName = '';
  /** @type {Table<any[]> | null} */
  #table = null;

  /** @param {import('../main.js').App} app */
  constructor(app) {
    this.app = app;
    this.tables = h('ul', { class: 'choices', 'aria-label': 'Tables' });
    this.search = h('input', { type: 'search', placeholder: 'Any value', oninput: () => this.#find() });
    this.insert = h('button', { type: 'button', onclick: () => this.#insert(), hidden: true }, 'Insert a row');
    this.reset = h('button', { type: 'button', class: 'quiet', onclick: () => this.#reset(), hidden: true }, 'Reset to the seed');
    this.title = h('h2', {}, '…');
    this.range = h('span', { class: 'muted small', role: 'status' });
    this.earlier = h('button', { type: 'button', disabled: true, onclick: () => this.#turn(-PAGE) }, 'Earlier');
    this.later = h('button', { type: 'button', disabled: true, onclick: () => this.#turn(PAGE) }, 'Later');
    this.problem = h('div');
    this.rows = h('div', { class: 'rows' });
    this.element = h(
      'div',
      { class: 'split' },
      h('nav', { class: 'card choice', 'aria-label': 'Tables of the source' }, this.tables),
      h(
        'div',
        { class: 'card' },
        h('header', {}, this.title, h('label', { class: 'inline push' }, h('span', { class: 'small muted' }, 'Filter'), this.search), this.insert, this.reset),
        this.problem,
        this.rows,
        h('footer', { class: 'row pager' }, this.range, h('span', { class: 'push' }), this.earlier, this.later),
      ),
    );
  }

  /** @param {string | undefined} name */
  async show(name) {
    const shown = ++this.#shown;
    const about = this.app.store.about;
    this.insert.hidden = !about?.edits_rows;
    this.reset.hidden = !about?.resets;
    try {
      const { connections } = await this.app.api.ask('/api/admin/v1/schema', { body: {} });
      if (shown !== this.#shown) return; // another table was chosen meanwhile
      const tables = connections[0].schemas.flatMap((/** @type {any} */ schema) => schema.tables.map((/** @type {any} */ table) => ({ ...table, schema: schema.name })));
      const several = connections[0].schemas.length > 1;
      this.#list(tables, several);
      const wanted = tables.find((/** @type {any} */ table) => label(table, several) === name) ?? tables[0];
      if (wanted === undefined) return fill(this.rows, empty('The source has no tables. Create one, and load this page again.'));
      this.#choose(wanted, label(wanted, several));
    } catch (error) {
      fill(this.problem, failure(/** @type {any} */ (error)));
    }
  }

  /**
   * @param {any[]} tables
   * @param {boolean} several whether there are several schemas
   */
  #list(tables, several) {
    const names = tables.map((table) => label(table, several));
    // Links that are there stay, and with them the focus.
    if ([...this.tables.querySelectorAll('a')].map((link) => link.dataset.table).join('\n') === names.join('\n')) return;
    const links = tables.map((table) => h('li', {}, h('a', { href: `/inspect#source/${encodeURIComponent(label(table, several))}`, 'data-table': label(table, several) }, label(table, several))));
    fill(this.tables, links);
  }

  /**
   * @param {any} table
   * @param {string} name
   */
  #choose(table, name) {
    for (const link of this.tables.querySelectorAll('a')) {
      if (link.dataset.table === name) link.setAttribute('aria-current', 'true');
      else link.removeAttribute('aria-current');
    }
    if (this.#tableName !== name) {
      this.#tableName = name;
      [this.#offset, this.#filter, this.#sorted, this.#editing, this.#table] = [0, '', null, null, null];
      this.search.value = '';
      fill(this.title, name);
      this.insert.setAttribute('aria-label', `Insert a row into ${name}`);
    }
    this.schema = table;
    this.#load();
  }

  /** Loads the page again when something was committed, unless somebody is typing. */
  update() {
    const { commits } = this.app.store.status.counters;
    if (this.#seen !== commits && this.#page && !this.#editing) this.#load();
    this.#seen = commits;
  }

  async #load() {
    const asked = ++this.#asked;
    const { schema: table } = this;
    const query = { schema: table.schema, table: table.name, offset: this.#offset, limit: PAGE, filter: this.#filter, order: this.#sorted?.column, descending: this.#sorted?.descending ? 1 : undefined };
    try {
      const page = await this.app.api.ask('/api/admin/v1/rows', { query });
      if (asked !== this.#asked) return;
      this.#page = page;
      fill(this.problem);
      this.#draw();
    } catch (error) {
      if (asked === this.#asked) fill(this.problem, failure(/** @type {any} */ (error)));
    }
  }

  #draw() {
    const page = this.#page;
    if (this.#table === null) {
      this.#table = this.#make(page);
      fill(this.rows, this.#table.element);
    }
    const isEmpty = page.rows.length === 0;
    fill(this.#table.none, empty(this.#filter ? 'No row has this in any of its columns.' : 'The table has no rows.'));
    const shown = this.#editing?.key === null ? [null, ...page.rows] : page.rows;
    this.#table.show(shown);
    const last = page.offset + page.rows.length;
    const total = page.has_more ? (page.estimate && !this.#filter ? `about ${number(page.estimate)}` : 'more') : number(last);
    const partial = page.partial ? ', among the first 20,000 rows' : '';
    fill(this.range, isEmpty ? '' : page.offset === 0 && !page.has_more ? count(last, 'row') + partial : `Rows ${number(page.offset + 1)} to ${number(last)} of ${total}${partial}`);
    this.earlier.disabled = page.offset === 0;
    this.later.disabled = !page.has_more;
  }

  /** @param {any} page */
  #make(page) {
    const canEdit = this.app.store.about?.edits_rows && page.key.length > 0;
    const columns = page.columns.map((/** @type {any} */ column, /** @type {number} */ index) => ({
      name: column.name,
      label: page.key.includes(column.name) ? `${column.name} (key)` : column.name,
      cell: (/** @type {any[]} */ row) => (row === null ? '' : cellOf(row[index])),
      sort: page.sortable ? () => null : undefined,
    }));
    const actions = { name: 'actions', label: 'Change', kind: 'actions', cell: (/** @type {any[]} */ row) => (row === null ? h('span', { class: 'small muted' }, 'new') : this.#actions(row)) };
    return new Table({
      label: `Rows of ${this.#tableName}`,
      columns: canEdit ? [...columns, actions] : columns,
      key: (row) => (row === null ? 'new' : this.#key(row)),
      mark: (row) => JSON.stringify(row),
      empty: '',
      onsort: page.sortable
        ? (column, descending) => {
            this.#sorted = { column, descending };
            this.#offset = 0;
            this.#load();
          }
        : undefined,
      below: (row) => (this.#editing && this.#editing.key === (row === null ? null : this.#key(row)) ? this.#editing.element : null),
    });
  }

  /** @param {any[]} row */
  #key(row) {
    const { key, columns } = this.#page;
    return JSON.stringify(key.length === 0 ? row : key.map((/** @type {string} */ name) => row[columns.findIndex((/** @type {any} */ column) => column.name === name)]));
  }

  /** @param {any[]} row */
  #keyValues(row) {
    const { key, columns } = this.#page;
    return Object.fromEntries(key.map((/** @type {string} */ name) => [name, row[columns.findIndex((/** @type {any} */ column) => column.name === name)]]));
  }

  /** @param {any[]} row */
  #name(row) {
    return Object.values(this.#keyValues(row)).map(textOf).join(', ');
  }

  /** @param {any[]} row */
  #actions(row) {
    const name = this.#name(row);
    return [
      h('button', { type: 'button', class: 'quiet', 'aria-label': `Edit ${name}`, onclick: () => this.#edit(row) }, 'Edit'),
      h('button', { type: 'button', class: 'quiet danger', 'aria-label': `Delete ${name}`, onclick: () => this.#delete(row) }, 'Delete'),
    ];
  }

  /** @param {any[]} row */
  #edit(row) {
    const save = (/** @type {Record<string, any>} */ values) => this.#change({ op: 'update', key: this.#keyValues(row), values }, `${this.#name(row)} is saved.`);
    this.#open(this.#key(row), editor({ columns: this.#page.columns, row, action: 'Save', label: `Edit ${this.#name(row)}`, save, close: () => this.#close() }));
  }

  #insert() {
    if (!this.#page) return;
    const save = (/** @type {Record<string, any>} */ values) => this.#change({ op: 'insert', values }, 'The row is inserted.');
    this.#open(null, editor({ columns: this.#page.columns, row: null, action: 'Insert', label: `Insert a row into ${this.#tableName}`, save, close: () => this.#close() }));
  }

  /**
   * @param {string | null} key
   * @param {HTMLElement} element
   */
  #open(key, element) {
    this.#editing = { key, element };
    this.#draw();
    const fields = [...element.querySelectorAll('input:not([readonly], [type=checkbox]), textarea:not([readonly])')];
    // A key is seldom changed.
    const first = key === null ? 0 : Math.min(this.#page.key.length, fields.length - 1);
    /** @type {HTMLElement | undefined} */ (fields[first])?.focus();
  }

  #close() {
    this.#editing = null;
    this.#draw();
    this.insert.focus();
  }

  /**
   * @param {Record<string, any>} change
   * @param {string} done
   */
  async #change(change, done) {
    await this.app.api.ask('/dev/rows', { body: { table: this.schema.name, ...change } });
    this.#editing = null;
    this.app.say(done);
    await this.#load();
  }

  /** @param {any[]} row */
  #delete(row) {
    const body = h('p', {}, 'The row ', h('strong', {}, this.#name(row)), ` is deleted from ${this.#tableName}. Clients that have it remove it.`);
    return confirm({ title: 'Delete the row?', body, action: 'Delete', tone: 'danger', run: () => this.#change({ op: 'delete', key: this.#keyValues(row) }, 'The row is deleted.') });
  }

  #reset() {
    const run = async () => {
      await this.app.api.ask('/dev/reset', { body: {} });
      this.app.say('The source is as at the beginning.');
      await this.#load();
    };
    return confirm({ title: 'Reset the source?', body: h('p', {}, 'All its rows become those of the seed again. Clients follow as with any other change.'), action: 'Reset', tone: 'danger', run });
  }

  #find() {
    this.#filter = this.search.value;
    this.#offset = 0;
    this.#load();
  }

  /** @param {number} by */
  #turn(by) {
    this.#offset = Math.max(0, this.#offset + by);
    this.#load();
  }
}

/**
 * @param {any} table
 * @param {boolean} several
 */
function label(table, several) {
  return several ? `${table.schema}.${table.name}` : table.name;
}

