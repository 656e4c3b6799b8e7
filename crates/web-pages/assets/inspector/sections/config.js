// @ts-check
// Configuration: the active text with what is wrong in it, an editor that checks while one writes, and deploying.
import { confirm } from '../dialog.js';
import { failure, fill, h, pill } from '../dom.js';
import { count, number } from '../format.js';
import { Editor } from '../editor.js';
import { changes, diff } from '../diff.js';

/** A text is checked when nothing was written for so many milliseconds. */
const REST = 250;

/**
 * @param {HTMLElement} element
 * @param {import('../main.js').App} app
 * @returns {import('../main.js').Section}
 */
export function config(element, app) {
  const section = new Config(app);
  element.append(section.element);
  return { show: () => section.show(), update: () => section.update() };
}

class Config {
  /** The text that is active. */
  #active = '';
  #loaded = false;
  #timer = 0;
  #asked = 0;
  /** @type {number | null} */
  #id = null;
  /** The configuration that is being built, and how many rows it has to read. */
  #building = { id: 0, rows: 0 };

  /** @param {import('../main.js').App} app */
  constructor(app) {
    this.app = app;
    this.editor = new Editor({ label: 'Configuration, as YAML', oninput: () => this.#edited() });
    this.state = h('span', {}, pill('', 'loading'));
    this.verdict = h('span', { role: 'status' }, ' ');
    this.deploy = h('button', { class: 'primary', type: 'button', disabled: true, onclick: () => this.#deploy() }, 'Deploy…');
    this.undo = h('button', { type: 'button', disabled: true, onclick: () => this.#undo() }, 'Undo changes');
    this.findings = h('ul', { class: 'diagnostics' });
    this.problem = h('div');
    this.progress = h('div');
    this.note = h('p', { class: 'small muted' });
    this.element = h(
      'div',
      { class: 'stack' },
      this.progress,
      this.problem,
      h('section', { class: 'card' }, h('header', {}, this.state, this.verdict, h('span', { class: 'push' }), this.undo, this.deploy), this.editor.element, this.findings),
      this.note,
    );
  }

  async show() {
    const file = this.app.store.about?.config;
    fill(this.note, file ? ['Deploying here does not change the file ', h('code', { class: 'wrap' }, file), '. It is deployed again when it is saved.'] : 'Deploying takes effect for all clients, without disconnecting them.');
    if (!this.#loaded) await this.#load();
  }

  async #load() {
    try {
      const { current, next } = await this.app.api.ask('/api/sync-rules/v1/current');
      const isEdited = this.#loaded && this.editor.text !== this.#active;
      this.#active = (current ?? next)?.content ?? '';
      this.#id = current?.id ?? null;
      if (!isEdited) this.editor.text = this.#active;
      this.#loaded = true;
      fill(this.problem);
      await this.#check();
    } catch (error) {
      fill(this.problem, failure(/** @type {any} */ (error)));
    }
  }

  update() {
    const { config: status } = this.app.store.status;
    const what = status.building ? pill('info', `number ${status.building.id} is being built`) : status.state === 'active' ? pill('good', `number ${status.id} is active`) : pill('bad', 'none is active');
    if (this.state.textContent !== what.textContent) fill(this.state, what);
    this.#drawProgress(status);
    if (this.#loaded && status.id !== this.#id && status.id !== null) this.#load();
  }

  /** @param {any} status */
  #drawProgress({ building, id, error }) {
    if (building) {
      const expected = this.#building.rows;
      const rows = building.rows_read;
      const text = building.state === 'ready' ? 'All rows are read. It becomes active when the changes since then have arrived.' : `${count(rows, 'row')}${expected ? ` of about ${number(expected)}` : ''} read, ${count(building.tables_left, 'table')} left.`;
      const bar = h('progress', { 'aria-label': 'Rows read', max: expected || null, value: expected ? Math.min(rows, expected) : undefined });
      this.#building.id = building.id;
      return fill(this.progress, h('section', { class: 'card building' }, h('div', { class: 'body stack tight' }, h('h2', {}, `Configuration ${building.id} is being built`), bar, h('p', { role: 'status' }, text), h('p', { class: 'small muted' }, 'Clients keep what they have until it is ready.'))));
    }
    if (this.#building.id === 0) return;
    const isActive = this.#building.id === id;
    if (!isActive && !error) return;
    const done = isActive ? h('p', { class: 'note good', role: 'status' }, `Configuration ${id} is active.`) : h('p', { class: 'note bad', role: 'alert' }, `Configuration ${this.#building.id} could not be built: ${error}`);
    this.#building = { id: 0, rows: 0 };
    fill(this.progress, done);
  }

  #edited() {
    clearTimeout(this.#timer);
    this.deploy.disabled = true;
    this.undo.disabled = this.editor.text === this.#active;
    this.#timer = setTimeout(() => this.#check(), REST);
  }

  #undo() {
    this.editor.text = this.#active;
    this.#check();
    this.editor.focus();
  }

  async #check() {
    const asked = ++this.#asked;
    const text = this.editor.text;
    try {
      const { valid, diagnostics } = await this.app.api.ask('/api/sync-rules/v1/validate', { yaml: text });
      if (asked !== this.#asked) return;
      const isChanged = text !== this.#active;
      this.deploy.disabled = !valid || !isChanged;
      this.undo.disabled = !isChanged;
      const errors = diagnostics.filter((/** @type {any} */ one) => one.severity === 'error').length;
      const warnings = diagnostics.length - errors;
      const parts = [errors > 0 && count(errors, 'error'), warnings > 0 && count(warnings, 'warning')].filter(Boolean).join(', ');
      fill(this.verdict, valid ? pill(warnings > 0 ? 'warn' : 'good', parts || 'no mistakes') : pill('bad', parts), isChanged && valid ? h('span', { class: 'small muted' }, ' changed, not deployed') : null);
      this.editor.marks = diagnostics;
      fill(this.findings, diagnostics.map((/** @type {any} */ one) => this.#finding(one)));
    } catch (error) {
      if (asked === this.#asked) fill(this.verdict, pill('bad', /** @type {any} */ (error).description));
    }
  }

  /** @param {any} one */
  #finding({ severity, message, hint, line, column, code }) {
    const place = h('button', { type: 'button', class: 'quiet place', onclick: () => this.editor.go(line, column) }, `Line ${line}`);
    return h('li', {}, place, pill(severity === 'error' ? 'bad' : 'warn', severity), h('div', {}, h('p', {}, message, ' ', h('code', { class: 'muted' }, code)), hint && h('p', { class: 'remedy' }, hint)));
  }

  async #deploy() {
    const text = this.editor.text;
    this.deploy.disabled = true;
    /** @type {any} */
    let foretold = null;
    /** @type {any} */
    let problem = null;
    try {
      foretold = await this.app.api.ask('/api/admin/v1/dry-run', { yaml: text });
    } catch (error) {
      // Another process may be the one that writes; it can be deployed all the same.
      problem = failure(/** @type {any} */ (error));
    }
    this.deploy.disabled = false;
    const run = async () => {
      const { id } = await this.app.api.ask('/api/sync-rules/v1/deploy', { yaml: text });
      const rows = (foretold?.tables ?? []).map((/** @type {any} */ table) => table.rows);
      this.#building = { id, rows: rows.some((/** @type {any} */ one) => one === null) ? 0 : rows.reduce((/** @type {number} */ sum, /** @type {number} */ one) => sum + one, 0) };
      this.app.say(`Configuration ${id} is being built.`);
      this.#drawProgress({ building: { id, state: 'building', rows_read: 0, tables_left: rows.length }, id: null, error: null });
      this.app.store.refresh();
    };
    const body = h('div', { class: 'stack' }, problem ?? changes(foretold), h('section', { class: 'stack tight' }, h('h3', {}, 'What you have changed'), diff(this.#active, text)));
    await confirm({ title: 'Deploy this configuration?', body, action: 'Deploy', wide: true, run });
  }
}
