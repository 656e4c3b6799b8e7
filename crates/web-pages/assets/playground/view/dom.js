// Makes elements. Texts become text: what users write is never markup.
import { drawn } from '../../common.js';

export { setText } from '../../common.js';

/**
 * @param {string} name
 * @param {Record<string, any>} attributes functions listen to events, true and false set and leave out
 * @param {...(Node | string | null | false)} children
 * @returns {any}
 */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(key, value);
    else setAttribute(element, key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== false));
  return element;
}

/** Sets what differs, so that nothing happens to what is the same. */
export function setAttribute(element, name, value) {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value === true ? '' : value)) element.setAttribute(name, value === true ? '' : value);
}

/**
 * Makes the children of an element those of a list. Elements stay with their items, and with them focus and what was typed.
 *
 * @template T
 * @param {HTMLElement} parent
 * @param {T[]} items
 * @param {(item: T) => string} key
 * @param {(item: T) => HTMLElement} make
 * @param {(element: HTMLElement, item: T) => void} update called for new elements, too
 */
export function reconcile(parent, items, key, make, update) {
  const present = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let next = parent.firstElementChild;
  for (const item of items) {
    let element = present.get(key(item));
    present.delete(key(item));
    if (!element) {
      element = make(item);
      element.dataset.key = key(item);
    }
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
    update(element, item);
  }
  for (const element of present.values()) element.remove();
}

const PATHS = {
  phone: 'M8 2.5h8A1.5 1.5 0 0 1 17.5 4v16a1.5 1.5 0 0 1-1.5 1.5H8A1.5 1.5 0 0 1 6.5 20V4A1.5 1.5 0 0 1 8 2.5ZM11 18.5h2',
  laptop: 'M5.5 5h13A1.5 1.5 0 0 1 20 6.5V15H4V6.5A1.5 1.5 0 0 1 5.5 5ZM2.5 18.5h19',
  trash: 'M5 7h14M10 7V4.5h4V7M7 7l1 12.5h8L17 7M10.5 10.5v5.5M13.5 10.5v5.5',
  plus: 'M12 5.5v13M5.5 12h13',
  close: 'M6.5 6.5l11 11M17.5 6.5l-11 11'
};

/** One of these icons. */
export const icon = (name) => drawn(PATHS[name]);

/** A text that can be changed where it stands. Enter or leaving it writes it, Escape leaves it as it was. */
export function editable(label, write) {
  const field = el('textarea', {
    class: 'editable',
    rows: 1,
    'aria-label': label,
    spellcheck: 'false',
    keydown: (event) => {
      if (event.key === 'Escape') field.value = field.defaultValue;
      if (event.key === 'Enter' || event.key === 'Escape') {
        event.preventDefault();
        field.blur();
      }
    },
    change: () => finish(),
    blur: () => finish()
  });
  function finish() {
    const text = field.value.trim();
    if (text === '') field.value = field.defaultValue;
    else if (text !== field.defaultValue) {
      field.defaultValue = text;
      write(text);
    }
  }
  return field;
}

/** Shows another text in it, unless somebody is changing it. */
export function showText(field, text) {
  const isChanged = field === document.activeElement && field.value !== field.defaultValue;
  if (isChanged || field.defaultValue === text) return;
  field.defaultValue = text;
  field.value = text;
}
