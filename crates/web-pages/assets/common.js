// @ts-check
// What the scripts of all pages do.

const NUMBER = new Intl.NumberFormat('en');
const SVG = 'http://www.w3.org/2000/svg';

/**
 * A number with what it counts: `1 change`, `20,000 changes`.
 * @param {number} value
 * @param {string} one
 * @param {string} [many]
 */
export function counted(value, one, many = `${one}s`) {
  return `${NUMBER.format(value)} ${value === 1 ? one : many}`;
}

/**
 * Sets a text, unless it is that already: nothing is announced twice.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * An icon, which says nothing by itself.
 * @param {string} path drawn in a square that is 24 wide
 */
export function drawn(path) {
  const icon = document.createElementNS(SVG, 'svg');
  icon.setAttribute('class', 'icon');
  icon.setAttribute('viewBox', '0 0 24 24');
  icon.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS(SVG, 'path');
  line.setAttribute('d', path);
  icon.append(line);
  return icon;
}
