// @ts-check
// A text area with line numbers, and marks at lines where something is wrong.
import { fill, h } from './dom.js';

export class Editor {
  /** @type {Map<number, string>} */
  #marks = new Map();

  /** @param {{ label: string, oninput: () => void }} options */
  constructor({ label, oninput }) {
    this.area = h('textarea', { class: 'code', 'aria-label': label, spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off', wrap: 'off', rows: 12 });
    this.lines = h('div', { class: 'line-numbers', 'aria-hidden': 'true' });
    this.element = h('div', { class: 'editor' }, this.lines, this.area);
    this.area.addEventListener('input', () => {
      this.#number();
      oninput();
    });
    this.area.addEventListener('scroll', () => (this.lines.scrollTop = this.area.scrollTop));
    this.area.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => this.#key(event));
  }

  get text() {
    return this.area.value;
  }

  set text(text) {
    this.area.value = text;
    this.#number();
  }

  /** @param {{ line: number, severity: string }[]} marks */
  set marks(marks) {
    this.#marks = new Map(marks.map(({ line, severity }) => [line, severity]));
    for (const { line, severity } of marks) if (severity === 'error') this.#marks.set(line, 'error');
    this.#number();
  }

  focus() {
    this.area.focus();
  }

  /**
   * Shows a line, and puts the cursor there.
   * @param {number} line
   * @param {number} column
   */
  go(line, column) {
    const lines = this.text.split('\n');
    const start = lines.slice(0, line - 1).reduce((/** @type {number} */ sum, /** @type {string} */ one) => sum + one.length + 1, 0);
    const end = start + (lines[line - 1]?.length ?? 0);
    this.area.focus();
    this.area.setSelectionRange(Math.min(start + column - 1, end), end);
    const height = this.area.scrollHeight / Math.max(1, lines.length);
    this.area.scrollTop = Math.max(0, (line - 4) * height);
  }

  /** Enter keeps the indentation. @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== 'Enter' || event.isComposing || event.ctrlKey || event.metaKey) return;
    const before = this.text.slice(0, this.area.selectionStart);
    const line = before.slice(before.lastIndexOf('\n') + 1);
    const indent = (line.match(/^ */)?.[0] ?? '') + (/:\s*(\|-?)?$/.test(line) ? '  ' : '');
    event.preventDefault();
    // Unlike setting the value, this can be undone with the keyboard.
    document.execCommand('insertText', false, `\n${indent}`);
  }

  #number() {
    const count = this.text.split('\n').length;
    this.area.rows = Math.min(Math.max(count + 1, 12), 32);
    const isSame = this.lines.childElementCount === count;
    if (!isSame) fill(this.lines, Array.from({ length: count }, (_, index) => h('div', {}, index + 1)));
    [...this.lines.children].forEach((element, index) => (element.className = this.#marks.get(index + 1) ?? ''));
    this.lines.scrollTop = this.area.scrollTop;
  }
}
