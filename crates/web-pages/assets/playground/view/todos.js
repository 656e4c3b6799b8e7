// The todo app of a device: lists, and the items of the one that is chosen. It reads and writes the device's own database alone.
import { editable, el, icon, reconcile, setAttribute, setText, showText } from './dom.js';
import { counted } from './words.js';

const LISTS = `SELECT l.id, l.name, count(t.id) AS items, count(t.id) FILTER (WHERE t.done IS NOT 1) AS open
  FROM lists l LEFT JOIN todos t ON t.list_id = l.id GROUP BY l.id ORDER BY l.name COLLATE NOCASE, l.id`;
const ITEMS = 'SELECT id, description, done FROM todos WHERE list_id = ? ORDER BY created_at, id LIMIT ?';

/** How many items are shown, and how many more when that is asked for. */
const PAGE = 100;

/** How long what comes from the service is marked, in ms. */
const MARKED = 1600;

const now = () => new Date().toISOString().replace('T', ' ').slice(0, 23);

/** Whether a schema is that of the todo app. */
export function isTodoApp(schema) {
  const has = (name, ...columns) => {
    const table = schema.tables.find((one) => one.name === name);
    return columns.every((column) => table?.columns.some((one) => one.name === column));
  };
  return has('lists', 'name') && has('todos', 'list_id', 'description', 'done', 'created_at');
}

export class TodoApp {
  tables = ['lists', 'todos'];
  #device;
  #chosen = null;
  #lists = [];
  #limit = PAGE;
  #known = null;
  #own = new Set();
  #isShown = false;
  #isNew = false;

  /** @param {import('./remote.js').RemoteDevice} device */
  constructor(device, { name, failed }) {
    this.#device = device;
    this.failed = failed;
    this.listOfLists = el('ul', { class: 'lists' });
    this.newList = form(`New list on the ${name}`, 'New list', 'Add list', (text) => this.#addList(text));
    this.title = editable(`Name of the list on the ${name}`, (text) => this.#write([this.#chosen], 'UPDATE lists SET name = ? WHERE id = ?', text, this.#chosen));
    this.remove = el('button', { class: 'quiet icon-only', click: () => this.#deleteList() }, icon('trash'));
    this.heading = el('div', { class: 'heading' }, this.title, this.remove);
    this.items = el('ul', { class: 'items' });
    this.more = el('button', { class: 'quiet', click: () => this.#showMore() });
    this.empty = el('p', { class: 'empty' });
    this.newItem = form(`New item on the ${name}`, 'Add an item', 'Add item', (text) => this.#addItem(text));
    this.content = el('div', { class: 'content' }, this.heading, el('div', { class: 'rows' }, this.items, this.more, this.empty), this.newItem);
    this.element = el(
      'div',
      { class: 'todos' },
      el('nav', { 'aria-label': `Lists on the ${name}` }, this.listOfLists, this.newList),
      this.content
    );
    this.#clearItems();
  }

  /** Shows what the database has now. */
  async show() {
    const lists = await this.#device.query(LISTS);
    if (this.#isNew || !lists.some(({ id }) => id === this.#chosen)) this.#choose(lists[0]?.id ?? null);
    this.#isNew = false;
    const chosen = this.#chosen;
    const items = chosen === null ? [] : await this.#device.query(ITEMS, [chosen, this.#limit]);
    if (chosen !== this.#chosen) return this.show(); // another list was chosen meanwhile
    this.#lists = lists;
    this.#showLists(lists);
    this.#showItems(lists.find(({ id }) => id === chosen), items);
    this.#isShown = true;
  }

  /** The rows will be others: it begins with the first list again. */
  clear() {
    this.#isNew = true;
    this.#known = null;
  }

  #choose(list) {
    this.#chosen = list;
    this.#limit = PAGE;
    this.#known = null;
    setAttribute(this.items, 'aria-label', null);
  }

  #showLists(lists) {
    const make = ({ id }) => {
      const button = el('button', { click: () => this.#open(id) }, el('span', { class: 'name' }), el('span', { class: 'count' }));
      return el('li', {}, button);
    };
    reconcile(this.listOfLists, lists, ({ id }) => id, make, (element, { id, name, open }) => {
      const button = element.firstElementChild;
      setAttribute(button, 'aria-current', id === this.#chosen ? 'true' : null);
      setText(button.firstElementChild, name ?? '');
      setText(button.lastElementChild, String(open));
      setAttribute(button, 'aria-label', `${name}, ${open} open`);
    });
  }

  #showItems(list, items) {
    if (!list) return this.#clearItems();
    this.content.classList.remove('none');
    showText(this.title, list.name ?? '');
    setAttribute(this.remove, 'aria-label', `Delete the list ${list.name}`);
    setAttribute(this.items, 'aria-label', `Items of ${list.name}`);
    setText(this.empty, items.length === 0 ? 'Nothing on this list yet.' : '');
    this.empty.hidden = items.length > 0;
    this.more.hidden = list.items <= items.length;
    setText(this.more, `Show more: ${counted(list.items - items.length, 'item')} left`);
    const versions = new Map(items.map(({ id, description, done }) => [id, `${done} ${description}`]));
    reconcile(this.items, items, ({ id }) => id, (item) => this.#item(item), (element, item) => this.#update(element, item, versions));
    this.#known = versions;
    this.#own.clear();
  }

  #clearItems() {
    this.content.classList.add('none');
    this.items.replaceChildren();
    this.more.hidden = true;
    this.empty.hidden = false;
    setText(this.empty, this.#isShown || this.#device.state?.lastSyncedAt ? 'No lists yet. Make one.' : '');
  }

  #item({ id }) {
    const tick = el('input', {
      type: 'checkbox',
      change: () => this.#write([id], 'UPDATE todos SET done = ? WHERE id = ?', Number(tick.checked), id)
    });
    const text = editable('', (description) => this.#write([id], 'UPDATE todos SET description = ? WHERE id = ?', description, id));
    const remove = () => this.#deleteItem(id);
    return el('li', {}, tick, text, el('button', { class: 'quiet icon-only', click: remove }, icon('close')));
  }

  #update(element, { id, description, done }, versions) {
    const [tick, text, remove] = element.children;
    tick.checked = Number(done) === 1;
    element.classList.toggle('done', tick.checked);
    showText(text, description ?? '');
    setAttribute(tick, 'aria-label', `${description}, done`);
    setAttribute(text, 'aria-label', `Text of ${description}`);
    setAttribute(remove, 'aria-label', `Delete ${description}`);
    const isNews = this.#known !== null && this.#known.get(id) !== versions.get(id) && !this.#own.has(id);
    if (!isNews) return;
    element.classList.add('arrived');
    setTimeout(() => element.classList.remove('arrived'), MARKED);
  }

  async #open(list) {
    this.#choose(list);
    await this.show();
  }

  #showMore() {
    this.#limit += PAGE;
    this.#known = null;
    return this.show();
  }

  #addItem(text) {
    const id = crypto.randomUUID();
    const sql = 'INSERT OR IGNORE INTO todos (id, list_id, description, done, created_at) VALUES (?, ?, ?, 0, ?)';
    return this.#write([id], sql, id, this.#chosen, text, now());
  }

  async #addList(text) {
    const id = crypto.randomUUID();
    if (!(await this.#write([], 'INSERT OR IGNORE INTO lists (id, name) VALUES (?, ?)', id, text))) return false;
    await this.#open(id);
    this.newItem.elements[0].focus();
    return true;
  }

  async #deleteItem(id) {
    const next = this.#neighbour(id);
    await this.#write([], 'DELETE FROM todos WHERE id = ?', id);
    await this.show();
    next.focus();
  }

  /** What has the focus after an item is gone. */
  #neighbour(id) {
    const rows = [...this.items.children];
    const index = rows.findIndex((row) => row.dataset.key === id);
    const row = rows[index + 1] ?? rows[index - 1];
    return row?.lastElementChild ?? this.newItem.elements[0];
  }

  /** The items first: the service lets their owner delete them as long as the list is there. */
  async #deleteList() {
    const list = this.#chosen;
    await this.#device
      .write(['DELETE FROM todos WHERE list_id = ?', [list]], ['DELETE FROM lists WHERE id = ?', [list]])
      .catch(this.failed);
    await this.show();
    (this.listOfLists.querySelector('[aria-current]') ?? this.newList.elements[0]).focus();
  }

  async #write(ids, sql, ...values) {
    for (const id of ids) this.#own.add(id);
    try {
      await this.#device.write([sql, values]);
    } catch (error) {
      this.failed(error);
      await this.show(); // what was not written is not shown
      return false;
    }
    return true;
  }
}

/** A field whose text is added. If that comes to false, the text stays. */
function form(label, placeholder, action, add) {
  const field = el('input', { 'aria-label': label, placeholder, autocomplete: 'off', maxlength: 200 });
  const submit = (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (text === '') return field.focus();
    field.value = '';
    // What cannot be stored is not lost.
    Promise.resolve(add(text)).then((isDone) => {
      if (isDone === false && field.value === '') field.value = text;
    });
  };
  return el('form', { submit }, field, el('button', { 'aria-label': action, class: 'icon-only' }, icon('plus')));
}
