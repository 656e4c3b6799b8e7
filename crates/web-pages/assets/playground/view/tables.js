// The tables of any other app: rows of one table, which can be added, changed and deleted.
import { el, reconcile, setAttribute, setText } from './dom.js';
import { counted } from './words.js';

/** How many rows are shown. */
const ROWS = 100;

const quoted = (name) => `"${name.replaceAll('"', '""')}"`;

export class Tables {
  #device;
  #schema = { tables: [] };
  #editing = null;
  #rows = [];

  /** @param {import('./remote.js').RemoteDevice} device */
  constructor(device, { name, failed }) {
    this.#device = device;
    this.name = name;
    this.failed = failed;
    this.chooser = el('select', { 'aria-label': `Table on the ${name}`, change: () => this.#choose() });
    this.count = el('span', { class: 'muted small' });
    const add = el('button', { click: () => this.#edit(null) }, 'New row');
    this.head = el('thead');
    this.body = el('tbody');
    this.table = el('table', { class: 'data' }, this.head, this.body);
    this.empty = el('p', { class: 'empty' }, 'No rows.');
    this.editor = el('div', { class: 'editor' });
    this.element = el(
      'div',
      { class: 'tables' },
      el('div', { class: 'row' }, this.chooser, this.count, el('span', { class: 'push' }), add),
      this.editor,
      el('div', { class: 'scroll rows', tabindex: 0, role: 'region', 'aria-label': `Rows on the ${name}` }, this.table, this.empty)
    );
  }

  get tables() {
    return this.#schema.tables.map((table) => table.name);
  }

  /** Uses the tables of this schema. */
  use(schema) {
    this.#schema = schema;
    const chosen = this.chooser.value;
    this.chooser.replaceChildren(...schema.tables.map(({ name }) => el('option', { value: name, selected: name === chosen }, name)));
    this.#close();
  }

  get #table() {
    return this.#schema.tables.find(({ name }) => name === this.chooser.value);
  }

  clear() {
    this.#close();
  }

  async show() {
    const table = this.#table;
    if (!table) return;
    const columns = ['id', ...table.columns.map(({ name }) => name)];
    const view = quoted(table.view_name ?? table.name);
    const [{ total }] = await this.#device.query(`SELECT count(*) AS total FROM ${view}`);
    const sql = `SELECT ${columns.map(quoted).join(', ')} FROM ${view} ORDER BY id LIMIT ${ROWS}`;
    const rows = await this.#device.query(sql);
    if (table !== this.#table) return;
    this.#rows = rows;
    const isAll = total === rows.length;
    setText(this.count, isAll ? counted(total, 'row') : `the first ${ROWS} of ${counted(total, 'row')}`);
    this.empty.hidden = total > 0;
    this.#showColumns(columns);
    reconcile(this.body, rows, ({ id }) => id, (row) => this.#row(row), (element, row) => showRow(element, row, columns));
  }

  #showColumns(columns) {
    const shown = JSON.stringify(columns);
    if (this.head.dataset.columns === shown) return;
    this.head.dataset.columns = shown;
    const cells = columns.map((column) => el('th', { scope: 'col' }, column));
    this.head.replaceChildren(el('tr', {}, ...cells, el('td', {}, el('span', { class: 'unseen' }, 'Edit'))));
    this.body.replaceChildren();
  }

  /** The cells stand before the one with the button, which stays: it may have the focus, or be pressed right now. */
  #row({ id }) {
    const edit = () => this.#edit(this.#rows.find((row) => row.id === id));
    return el('tr', {}, el('td', {}, el('button', { class: 'quiet', 'aria-label': `Edit ${id}`, click: edit }, 'Edit')));
  }

  async #choose() {
    this.#close();
    await this.show();
  }

  /** A form with a field for each column: of a row, or of a new one. */
  #edit(row) {
    this.#editing = row;
    const fields = this.#table.columns.map(({ name, type }) => {
      const field = el('input', { name, value: row?.[name] ?? '', inputmode: type === 'text' ? 'text' : 'decimal' });
      return el('label', { class: 'field' }, name, field);
    });
    const buttons = el(
      'div',
      { class: 'row' },
      el('button', { class: 'primary' }, row ? 'Save' : 'Add row'),
      row && el('button', { type: 'button', class: 'danger', click: () => this.#delete(row) }, 'Delete'),
      el('button', { type: 'button', click: () => this.#close() }, 'Cancel')
    );
    const submit = (event) => {
      event.preventDefault();
      this.#save(row, new FormData(event.target));
    };
    const label = row ? `Row ${row.id} on the ${this.name}` : `New row on the ${this.name}`;
    const form = el('form', { submit, 'aria-label': label, keydown: ({ key }) => key === 'Escape' && this.#close() }, ...fields, buttons);
    this.editor.replaceChildren(form);
    (form.querySelector('input') ?? form.querySelector('button')).focus();
  }

  async #save(row, values) {
    const columns = this.#table.columns;
    // An empty field is NULL, unless it was an empty text before.
    const written = columns.map(({ name }) => values.get(name)).map((text, index) => (text === '' && row?.[columns[index].name] !== '' ? null : text));
    const changed = columns.map(({ name }, index) => [name, written[index]]).filter(([name, value]) => row === null ? value !== null : String(row[name] ?? '') !== (value ?? ''));
    const view = quoted(this.#table.view_name ?? this.#table.name);
    if (row === null) {
      const names = ['id', ...changed.map(([name]) => name)];
      const places = names.map(() => '?').join(', ');
      const sql = `INSERT OR IGNORE INTO ${view} (${names.map(quoted).join(', ')}) VALUES (${places})`;
      await this.#write(sql, [crypto.randomUUID(), ...changed.map(([, value]) => value)]);
    } else if (changed.length > 0) {
      const sql = `UPDATE ${view} SET ${changed.map(([name]) => `${quoted(name)} = ?`).join(', ')} WHERE id = ?`;
      await this.#write(sql, [...changed.map(([, value]) => value), row.id]);
    } else this.#close();
  }

  #delete(row) {
    return this.#write(`DELETE FROM ${quoted(this.#table.view_name ?? this.#table.name)} WHERE id = ?`, [row.id]);
  }

  async #write(sql, values) {
    try {
      await this.#device.write([sql, values]);
      this.#close();
      await this.show();
    } catch (error) {
      this.failed(error);
    }
  }

  #close() {
    const hadFocus = this.editor.contains(document.activeElement);
    this.editor.replaceChildren();
    const id = this.#editing?.id;
    this.#editing = null;
    if (!hadFocus) return;
    (this.table.querySelector(`[data-key="${CSS.escape(id ?? '')}"] button`) ?? this.chooser).focus();
  }
}

function showRow(element, row, columns) {
  while (element.cells.length <= columns.length) element.prepend(el('td'));
  columns.forEach((column, index) => {
    const [cell, value] = [element.cells[index], row[column]];
    setAttribute(cell, 'class', value === null ? 'null' : typeof value === 'string' ? null : 'number');
    setText(cell, value === null ? 'null' : String(value));
  });
}
