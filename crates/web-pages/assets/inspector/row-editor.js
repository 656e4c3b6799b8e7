// @ts-check
// Changes one row of the source: a field for each column.
import { isWhole, textOf } from './cells.js';
import { fill, h, id } from './dom.js';

/** A field becomes several lines if its text is longer than this. */
const LONG = 60;

/**
 * @param {{
 *   columns: { name: string, type: string }[], row: any[] | null, action: string, label: string,
 *   save: (values: Record<string, any>) => Promise<any>, close: () => void,
 * }} options `row` is null for a new one
 */
export function editor({ columns, row, action, label, save, close }) {
  const fields = columns.map((column, index) => new Field(column, row === null ? undefined : row[index]));
  const problem = h('p', { class: 'bad-text', role: 'alert' });
  const button = h('button', { class: 'primary', type: 'submit' }, action);
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    for (const field of fields) field.mark(false);
    const changed = fields.filter((field) => field.isChanged);
    if (row !== null && changed.length === 0) return close();
    button.disabled = true;
    try {
      await save(Object.fromEntries(changed.map((field) => [field.name, field.value])));
    } catch (error) {
      const { description, details } = /** @type {any} */ (error);
      fill(problem, description ?? String(error));
      const wrong = fields.find((field) => field.name === details);
      wrong?.mark(true);
      wrong?.input.focus();
    }
    button.disabled = false;
  };
  return h(
    'form',
    { class: 'row-editor', 'aria-label': label, onsubmit: submit, onkeydown: (/** @type {KeyboardEvent} */ event) => event.key === 'Escape' && close() },
    h('div', { class: 'fields' }, fields.map((field) => field.element)),
    problem,
    h('div', { class: 'row' }, button, h('button', { type: 'button', onclick: close }, 'Cancel')),
  );
}

class Field {
  /**
   * @param {{ name: string, type: string }} column
   * @param {any} before undefined for a new row
   */
  constructor({ name, type }, before) {
    this.name = name;
    this.type = type.toUpperCase();
    this.before = before;
    const isFixed = before !== undefined && !isWhole(before);
    const text = before === undefined || before === null ? '' : textOf(before);
    const input = id('field');
    const common = { id: input, readonly: isFixed, autocomplete: 'off', spellcheck: 'false', placeholder: before === undefined ? 'default' : before === null ? 'NULL' : '', oninput: () => (this.nullBox.checked = false) };
    this.input = text.length > LONG || text.includes('\n') ? h('textarea', { ...common, rows: 3, value: text }) : h('input', { ...common, value: text });
    this.nullBox = h('input', { type: 'checkbox', 'aria-label': `${name} is NULL`, disabled: isFixed });
    this.nullBox.checked = before === null;
    const note = isFixed ? h('span', { class: 'small muted' }, 'Too long to be edited here.') : null;
    this.element = h(
      'div',
      { class: 'field' },
      h('label', { for: input }, name, ' ', h('span', { class: 'small muted' }, type.toLowerCase())),
      h('div', { class: 'field-row' }, this.input, h('label', { class: 'null-box small' }, this.nullBox, 'NULL')),
      note,
    );
    this.text = text;
  }

  get isChanged() {
    if (this.before === undefined) return this.input.value !== '' || this.nullBox.checked;
    return this.nullBox.checked !== (this.before === null) || this.input.value !== this.text;
  }

  /** What the person has written, in the type that the column prefers. */
  get value() {
    const text = this.input.value;
    if (this.nullBox.checked) return null;
    const isInteger = /^[+-]?\d{1,19}$/.test(text) && (/INT|BOOL|NUM|DEC/.test(this.type) || (this.type === '' && isNumber(this.before)));
    if (isInteger) return { integer: text.replace('+', '') };
    const isReal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && /REAL|FLOA|DOUB|NUM|DEC/.test(this.type);
    return isReal ? { real: text } : text;
  }

  /** @param {boolean} isWrong */
  mark(isWrong) {
    if (isWrong) this.input.setAttribute('aria-invalid', 'true');
    else this.input.removeAttribute('aria-invalid');
  }
}

/** @param {any} value */
function isNumber(value) {
  return typeof value === 'number' || value?.integer !== undefined;
}
