// @ts-check
// Tables that sort by their columns, and that keep their rows when what they show comes again: the focus stays where it is.
import { fill, h } from './dom.js';

/**
 * @template T
 * @typedef {{ name: string, label: string, kind?: 'number' | 'text' | 'actions', sort?: (row: T) => any, cell: (row: T) => any }} Column
 */

/** @template T */
export class Table {
  /** @type {T[]} */
  #rows = [];
  /** @type {Map<string, { mark: string, element: HTMLTableRowElement }>} */
  #known = new Map();
  /** @type {WeakMap<Element, HTMLTableRowElement>} */
  #below = new WeakMap();

  /**
   * @param {{
   *   label: string, columns: Column<T>[], key: (row: T) => string, mark?: (row: T) => string, empty: any,
   *   sorted?: { column: string, descending: boolean }, onsort?: (column: string, descending: boolean) => void,
   *   chosen?: (row: T) => boolean, below?: (row: T) => any,
   * }} options
   * With `onsort`, somebody else sorts. `mark` is a text that changes when the row's cells do. `below` is what is shown below a
   * row, over the whole width.
   */
  constructor(options) {
    this.options = options;
    this.sorted = options.sorted ?? null;
    this.heads = options.columns.map((column) => this.#head(column));
    this.body = h('tbody');
    this.table = h('table', { class: 'data' }, h('caption', { class: 'unseen' }, options.label), h('thead', {}, h('tr', {}, this.heads)), this.body);
    this.scroll = h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': options.label }, this.table);
    this.none = h('div', {}, options.empty);
    this.element = h('div', {}, this.scroll, this.none);
    this.show([]);
  }

  /** @param {Column<T>} column */
  #head(column) {
    const kind = column.kind === 'number' ? 'number' : '';
    if (column.kind === 'actions') return h('th', { scope: 'col' }, h('span', { class: 'unseen' }, column.label));
    if (!column.sort && !this.options.onsort) return h('th', { scope: 'col', class: kind }, column.label);
    const button = h('button', { class: 'sort', type: 'button', onclick: () => this.#sort(column) }, column.label);
    return h('th', { scope: 'col', class: kind, 'data-column': column.name }, button);
  }

  /** @param {Column<T>} column */
  #sort(column) {
    const isSame = this.sorted?.column === column.name;
    const descending = isSame ? !this.sorted?.descending : column.kind === 'number';
    this.sorted = { column: column.name, descending };
    this.options.onsort?.(column.name, descending);
    this.show(this.#rows);
  }

  /** @param {T[]} rows */
  show(rows) {
    this.#rows = rows;
    for (const head of this.heads) {
      const isIt = head.dataset.column === this.sorted?.column && this.sorted !== null;
      if (head.dataset.column) head.setAttribute('aria-sort', isIt ? (this.sorted?.descending ? 'descending' : 'ascending') : 'none');
    }
    const known = new Map();
    const elements = this.#inOrder().flatMap((row) => {
      const key = this.options.key(row);
      const mark = this.options.mark?.(row) ?? JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? String(value) : value));
      const before = this.#known.get(key);
      const element = before?.mark === mark ? before.element : this.#row(row);
      known.set(key, { mark, element });
      if (this.options.chosen) element.classList.toggle('chosen', this.options.chosen(row));
      const below = this.options.below?.(row);
      return below ? [element, this.#under(below)] : [element];
    });
    this.#known = known;
    const isSame = elements.length === this.body.childElementCount && elements.every((element, index) => this.body.children[index] === element);
    if (!isSame) fill(this.body, elements);
    this.scroll.hidden = rows.length === 0;
    this.none.hidden = rows.length > 0;
  }

  /** @param {Element} content */
  #under(content) {
    const row = this.#below.get(content) ?? h('tr', { class: 'below' }, h('td', { colspan: this.options.columns.length }, content));
    this.#below.set(content, row);
    return row;
  }

  #inOrder() {
    const column = this.options.columns.find(({ name }) => name === this.sorted?.column);
    if (!column?.sort || this.options.onsort) return this.#rows;
    const { sort } = column;
    const sign = this.sorted?.descending ? -1 : 1;
    return [...this.#rows].sort((one, other) => sign * compare(sort(one), sort(other)));
  }

  /** @param {T} row */
  #row(row) {
    return h('tr', {}, this.options.columns.map((column) => h('td', { class: column.kind === 'number' ? 'number' : column.kind === 'actions' ? 'actions' : null }, column.cell(row))));
  }
}

/**
 * @param {any} one
 * @param {any} other
 */
function compare(one, other) {
  if (one === null || one === undefined) return other === null || other === undefined ? 0 : -1;
  if (other === null || other === undefined) return 1;
  return typeof one === 'string' ? one.localeCompare(other, 'en', { numeric: true }) : one < other ? -1 : one > other ? 1 : 0;
}
