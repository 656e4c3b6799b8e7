// @ts-check
// Streams and buckets: definitions, the buckets of one, and the operations of a bucket.
import { empty, failure, fill, h, pill } from '../dom.js';
import { bytes, count, number } from '../format.js';
import { json } from '../json.js';
import { Table } from '../table.js';
import { streamText } from '../yaml.js';

const PAGE = 50;
/** Sizes are asked for again after so many milliseconds. */
const COUNTED_AGAIN = 10_000;

/**
 * @param {HTMLElement} element
 * @param {import('../main.js').App} app
 * @returns {import('../main.js').Section}
 */
export function buckets(element, app) {
  const section = new Buckets(app);
  element.append(section.element);
  return { show: (place) => section.show(place), update: () => section.update() };
}

class Buckets {
  /** @type {any[]} */
  #definitions = [];
  /** @type {string[]} */
  #place = [];
  #seen = -1;
  #countedAt = -Infinity;
  #offset = 0;
  #drawn = '';
  /** @type {Record<string, string | undefined>} */
  #from = {};

  /** @param {import('../main.js').App} app */
  constructor(app) {
    this.app = app;
    this.path = h('nav', { class: 'path', 'aria-label': 'Where you are', hidden: true });
    this.problem = h('div');
    this.definitions = new Table({
      label: 'Bucket definitions',
      key: (row) => String(row.id),
      columns: [
        { name: 'streams', label: 'Streams', sort: (row) => row.streams.join(), cell: (row) => h('a', { href: `/inspect#buckets/${row.id}` }, row.streams.join(', ') || row.prefix || `definition ${row.id}`) },
        { name: 'state', label: 'State', sort: (row) => row.streams.length, cell: (row) => (row.streams.length > 0 ? pill('good', 'in use') : pill('', 'kept for going back')) },
        { name: 'buckets', label: 'Buckets', kind: 'number', sort: (row) => row.buckets, cell: (row) => number(row.buckets) },
        { name: 'rows', label: 'Rows', kind: 'number', sort: (row) => row.rows, cell: rows },
        { name: 'operations', label: 'Operations', kind: 'number', sort: (row) => row.operations, cell: (row) => number(row.operations) },
        { name: 'bytes', label: 'Written', kind: 'number', sort: (row) => row.bytes, cell: (row) => bytes(row.bytes) },
      ],
      empty: empty('Nothing is stored yet. Buckets appear when a configuration is built and the source has rows.'),
    });
    this.list = h('div', { class: 'stack' }, h('div', { class: 'card' }, this.definitions.element), h('p', { class: 'small muted' }, 'A bucket holds the rows that several users share, as a log of operations. Clients download the buckets that their streams lead to. Written are the bytes of all operations, also of rows that were replaced since.'));
    this.detail = h('div', { class: 'stack', hidden: true });
    this.element = h('div', { class: 'stack' }, this.path, this.problem, this.list, this.detail);
  }

  /** @param {string[]} place the number of a definition, and the key of a bucket */
  show(place) {
    if (this.#place.join('/') !== place.join('/')) [this.#offset, this.#from] = [0, {}];
    this.#place = place;
    if (place.length < 2) this.#countedAt = -Infinity;
    this.#load();
  }

  update() {
    const { commits } = this.app.store.status.counters;
    const isPaged = this.#offset > 0 || this.#from.after !== undefined || this.#from.before !== undefined;
    if (this.#seen !== commits && this.#seen !== -1 && !isPaged) this.#load();
    this.#seen = commits;
  }

  async #load() {
    const [id, key] = this.#place;
    try {
      await this.#count();
      const definition = this.#definitions.find((one) => String(one.id) === id);
      this.list.hidden = id !== undefined;
      this.detail.hidden = id === undefined;
      if (id !== undefined && key === undefined) await this.#showDefinition(id, definition);
      if (id !== undefined && key !== undefined) await this.#showBucket(id, key);
      this.#crumbs(id, key, definition);
      fill(this.problem);
    } catch (error) {
      fill(this.problem, failure(/** @type {any} */ (error)));
    }
  }

  /** Counting is work for the service, so it is not done for each commit. */
  async #count() {
    if (performance.now() - this.#countedAt < COUNTED_AGAIN) return;
    const { definitions } = await this.app.api.ask('/api/admin/v1/buckets');
    this.#countedAt = performance.now();
    this.#definitions = definitions ?? [];
    this.definitions.show(this.#definitions);
  }

  /**
   * @param {string | undefined} id
   * @param {string | undefined} key
   * @param {any} definition
   */
  #crumbs(id, key, definition) {
    this.path.hidden = id === undefined;
    if (id === undefined) return;
    const name = definition?.streams.join(', ') || `definition ${id}`;
    const all = h('a', { href: '#buckets' }, 'All definitions');
    const crumbs = key === undefined ? [all, h('span', { 'aria-current': 'page' }, name)] : [all, h('a', { href: `/inspect#buckets/${id}` }, name), h('code', { 'aria-current': 'page' }, key)];
    fill(this.path, h('ol', {}, crumbs.map((crumb) => h('li', {}, crumb))));
  }

  /**
   * @param {string} id
   * @param {any} definition
   */
  async #showDefinition(id, definition) {
    const page = await this.app.api.ask(`/api/admin/v1/buckets/${encodeURIComponent(id)}`, { query: { offset: this.#offset, limit: PAGE } });
    const yaml = (await this.app.api.ask('/api/sync-rules/v1/current')).current?.content ?? '';
    const texts = (definition?.streams ?? []).map((/** @type {string} */ name) => [name, streamText(yaml, name)]);
    const table = new Table({
      label: 'Buckets, the largest first',
      key: (row) => row.key,
      columns: [
        { name: 'key', label: 'Key', cell: (row) => h('a', { href: `/inspect#buckets/${id}/${encodeURIComponent(row.key)}` }, h('code', {}, row.key)) },
        { name: 'rows', label: 'Rows', kind: 'number', sort: (row) => row.rows, cell: rows },
        { name: 'operations', label: 'Operations', kind: 'number', sort: (row) => row.operations, cell: (row) => number(row.operations) },
        { name: 'bytes', label: 'Written', kind: 'number', sort: (row) => row.bytes, cell: (row) => bytes(row.bytes) },
        { name: 'last_op', label: 'Last operation', kind: 'number', sort: (row) => Number(row.last_op), cell: (row) => number(Number(row.last_op)) },
      ],
      empty: empty('This definition has no buckets. They appear when a row of the source belongs to one.'),
    });
    table.show(page.buckets);
    const last = this.#offset + page.buckets.length;
    const total = definition ? number(definition.buckets) : 'more';
    const note = `Buckets ${number(last === 0 ? 0 : this.#offset + 1)} to ${number(last)} of ${total}`;
    const pager = this.#pager(note, this.#offset > 0, page.has_more, () => this.#turn(-PAGE), () => this.#turn(PAGE));
    const queries = texts.map((/** @type {[string, string | null]} */ [name, text]) => h('section', { class: 'card' }, h('header', {}, h('h2', {}, 'Stream ', h('code', {}, name))), text === null ? h('p', { class: 'body muted' }, 'Its text is under Configuration.') : h('pre', { class: 'plain', tabindex: '0' }, text)));
    this.#replace([h('section', { class: 'card' }, h('header', {}, h('h2', {}, 'Buckets')), table.element, pager), ...queries]);
  }

  /**
   * @param {string} id
   * @param {string} key
   */
  async #showBucket(id, key) {
    const page = await this.app.api.ask('/api/admin/v1/operations', { query: { definition: id, key, limit: PAGE, ...this.#from } });
    const operations = [...page.operations].reverse();
    const table = new Table({
      label: 'Operations, the newest first',
      key: (row) => row.op_id,
      columns: [
        { name: 'op_id', label: 'Operation', kind: 'number', cell: (row) => number(Number(row.op_id)) },
        { name: 'op', label: 'Does', cell: (row) => pill(TONES[row.op], row.op) },
        { name: 'row', label: 'Row', cell: (row) => (row.type === null ? h('span', { class: 'muted' }, MEANINGS[row.op]) : [h('span', { class: 'muted' }, `${row.type} `), h('code', {}, row.id)]) },
        { name: 'data', label: 'Data', cell: (row) => (row.data === null ? '' : json(row.data, row.data_bytes)) },
        { name: 'checksum', label: 'Checksum', kind: 'number', cell: (row) => h('code', { class: 'muted' }, row.checksum.toString(16).padStart(8, '0')) },
      ],
      empty: empty('There are no operations here.'),
    });
    table.show(operations);
    const { bucket } = page;
    const [first, last] = [page.operations[0]?.op_id, page.operations.at(-1)?.op_id];
    const pager = this.#pager(
      `${count(bucket.operations, 'operation')} in all`,
      page.has_later,
      page.has_earlier,
      () => this.#go({ after: last }),
      () => this.#go({ before: first }),
      ['Newer', 'Older'],
    );
    const newest = h('button', { type: 'button', class: 'quiet push', disabled: !page.has_later, onclick: () => this.#go({}) }, 'Newest');
    this.#replace([h('section', { class: 'card' }, h('header', {}, h('h2', {}, 'Operations'), h('span', { class: 'muted small' }, `last ${number(Number(bucket.last_op))}, checksum ${bucket.checksum.toString(16).padStart(8, '0')}`), newest), table.element, pager)]);
  }

  /**
   * Draws the detail, unless it says the same as before: what a person has unfolded stays so, and the focus where it is.
   * @param {HTMLElement[]} parts
   */
  #replace(parts) {
    const holder = h('div', {}, parts);
    const text = holder.textContent ?? '';
    const drawn = `${this.#place.join('/')} ${text}`;
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const focused = this.detail.contains(document.activeElement) ? document.activeElement?.textContent : null;
    fill(this.detail, parts);
    const again = focused && [...this.detail.querySelectorAll('button, a')].find((one) => one.textContent === focused);
    if (again instanceof HTMLElement) again.focus();
  }

  /**
   * @param {string} note
   * @param {boolean} hasBefore
   * @param {boolean} hasAfter
   * @param {() => void} before
   * @param {() => void} after
   */
  #pager(note, hasBefore, hasAfter, before, after, [one, other] = ['Larger', 'Smaller']) {
    return h(
      'footer',
      { class: 'row pager' },
      h('span', { class: 'muted small' }, note),
      h('span', { class: 'push' }),
      h('button', { type: 'button', disabled: !hasBefore, onclick: before }, one),
      h('button', { type: 'button', disabled: !hasAfter, onclick: after }, other),
    );
  }

  /** @param {number} by */
  #turn(by) {
    this.#offset = Math.max(0, this.#offset + by);
    this.#load();
  }

  /** @param {Record<string, string | undefined>} from */
  #go(from) {
    this.#from = from;
    this.#load();
  }
}

/** @type {Record<string, any>} */
const TONES = { PUT: 'good', REMOVE: 'bad', MOVE: '', CLEAR: 'warn' };
/** @type {Record<string, string>} */
const MEANINGS = { MOVE: 'a newer operation has replaced it', CLEAR: 'everything before is gone' };

/** @param {any} size */
function rows(size) {
  return size.rows === null ? h('span', { class: 'muted', title: 'There are too many operations to count rows each time.' }, 'many') : number(size.rows);
}
