// Functions that are called in a page, so each has everything that it needs within itself.

/** Ids that are there twice, references to none, headings out of order, a page without title or language. */
export function structure() {
  const wrong = [];
  const describe = (element) => element.cloneNode(false).outerHTML.slice(0, 120);
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true });
  const ids = new Map();
  for (const element of document.querySelectorAll('[id]')) ids.set(element.id, (ids.get(element.id) ?? 0) + 1);
  for (const [id, count] of ids) if (count > 1) wrong.push(`${count} elements have the id ${id}`);
  for (const attribute of ['for', 'aria-labelledby', 'aria-describedby', 'aria-controls', 'aria-owns', 'aria-activedescendant', 'list', 'popovertarget', 'commandfor']) {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      for (const id of element.getAttribute(attribute).split(/\s+/).filter(Boolean)) {
        if (!ids.has(id)) wrong.push(`${attribute} leads to no element: ${describe(element)}`);
      }
    }
  }
  for (const label of document.querySelectorAll('label')) if (!label.control) wrong.push(`a label without a control: ${label.outerHTML.slice(0, 120)}`);
  for (const link of document.querySelectorAll('a[href^="#"]')) {
    const id = decodeURIComponent(link.getAttribute('href').slice(1));
    if (id && !ids.has(id)) wrong.push(`a link to no place: ${describe(link)}`);
  }
  const headings = [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].filter(isShown);
  const first = headings.filter(({ localName }) => localName === 'h1');
  if (first.length !== 1) wrong.push(`${first.length} headings of the first level`);
  let before = 0;
  for (const heading of headings) {
    const level = Number(heading.localName[1]);
    if (level > before + 1) wrong.push(`a heading of level ${level} after one of level ${before}: ${heading.textContent.trim().slice(0, 80)}`);
    before = level;
  }
  for (const landmark of ['main']) {
    const count = document.querySelectorAll(landmark).length;
    if (count !== 1) wrong.push(`${count} elements ${landmark}`);
  }
  if (!document.title.trim()) wrong.push('the page has no title');
  if (!document.documentElement.lang) wrong.push('the page names no language');
  return wrong;
}

/** Text whose colour is too close to what is behind it. */
export function contrast() {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const known = new Map();
  /** Red, green, blue and opacity of a computed colour in any notation. */
  const parse = (colour) => {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(colour, [red, green, blue, alpha / 255]);
    }
    return known.get(colour);
  };
  const over = ([red, green, blue, alpha], under) => [red, green, blue].map((value, index) => value * alpha + under[index] * (1 - alpha));
  const luminance = (colour) => {
    const [red, green, blue] = colour.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ratio = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((left, right) => right - left);
    return (light + 0.05) / (dark + 0.05);
  };
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const ancestors = (element) => {
    const list = [];
    for (let one = element; one; one = one.parentElement) list.push(one);
    return list;
  };
  /** What a text of this colour looks like, and what is behind it. A group's opacity mixes both with what is behind the group. */
  const seen = (element, colour) => {
    let behind = dark ? [18, 18, 18] : [255, 255, 255];
    const groups = [];
    for (const one of ancestors(element).reverse()) {
      const style = getComputedStyle(one);
      if (Number(style.opacity) < 1) groups.push({ opacity: Number(style.opacity), under: behind });
      behind = over(parse(style.backgroundColor), behind);
    }
    let text = over(parse(colour), behind);
    for (const { opacity, under } of groups.reverse()) [text, behind] = [text, behind].map((one) => over([...one, opacity], under));
    return [text, behind];
  };
  const isSeen = (element) => {
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true })) return false;
    const { width, height } = element.getBoundingClientRect();
    return width > 1 && height > 1;
  };
  const isDisabled = (element) => element.closest(':disabled, [aria-disabled="true"]') !== null;
  const wrong = new Map();
  const check = (element, colour, text, style = getComputedStyle(element)) => {
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const [front, back] = seen(element, colour);
    const found = ratio(front, back);
    if (found >= (isLarge ? 3 : 4.5) - 0.005) return;
    const hex = (one) => `#${one.map((value) => Math.round(value).toString(16).padStart(2, '0')).join('')}`;
    const what = `contrast ${found.toFixed(2)} of ${hex(front)} on ${hex(back)} in ${element.localName}.${element.className}`;
    if (!wrong.has(what)) wrong.set(what, text.trim().slice(0, 60));
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || ['SCRIPT', 'STYLE', 'NOSCRIPT', 'TEMPLATE', 'OPTION'].includes(element.tagName)) continue;
    if (!isSeen(element) || isDisabled(element)) continue;
    const style = getComputedStyle(element);
    check(element, element instanceof SVGElement ? style.fill : style.color, node.data, style);
  }
  for (const field of document.querySelectorAll('input, textarea, select')) {
    if (!isSeen(field) || isDisabled(field) || ['checkbox', 'radio', 'range', 'color', 'hidden'].includes(field.type)) continue;
    check(field, getComputedStyle(field).color, field.value || field.name);
    if (field.placeholder) check(field, getComputedStyle(field, '::placeholder').color, field.placeholder);
  }
  return [...wrong].map(([what, text]) => `${what}: ${text}`);
}

/** Notes every control that Tab has to reach, and what it looks like without the focus. */
export function noteControls() {
  // What is behind a dialog cannot be used.
  const dialog = document.querySelector('dialog:modal');
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest('[inert]') && (dialog?.contains(element) ?? true);
  const look = (element) => {
    const style = getComputedStyle(element);
    return [style.outlineStyle, style.outlineWidth, style.outlineColor, style.boxShadow, style.borderColor, style.backgroundColor, style.textDecorationLine].join();
  };
  const wanted = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex], [contenteditable=true], audio[controls], video[controls], iframe';
  const isOneOfSeveral = (element) => {
    if (element.type !== 'radio') return false;
    const group = [...document.getElementsByName(element.name)];
    return (group.find(({ checked }) => checked) ?? group[0]) !== element;
  };
  const all = [...document.querySelectorAll(wanted)].filter(
    (element) => isShown(element) && !element.disabled && element.tabIndex >= 0 && !isOneOfSeveral(element),
  );
  const before = new Map(all.map((element) => [element, look(element)]));
  const visited = new Set();
  const describe = (element) => `${element.cloneNode(false).outerHTML.slice(0, 100)} ${element.textContent.trim().slice(0, 40)}`;
  const visit = () => {
    const element = document.activeElement;
    if (element === null || element === document.body || visited.has(element)) return { done: true };
    visited.add(element);
    const style = getComputedStyle(element);
    const hasOutline = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1;
    if (!hasOutline && before.get(element) === look(element)) return { problem: `the focus does not show: ${describe(element)}` };
    const { left, top, right, bottom } = element.getBoundingClientRect();
    const isInWindow = bottom > 0 && right > 0 && top < innerHeight && left < innerWidth;
    if (!isInWindow) return { problem: `the focus is out of sight: ${describe(element)}` };
    // Of a long line that is wrapped, the middle may lie outside.
    const places = [...element.getClientRects()].flatMap((box) => [[(box.left + box.right) / 2, (box.top + box.bottom) / 2], [box.left + 3, box.top + 3], [box.right - 3, box.bottom - 3]]);
    const hits = places.some(([x, y]) => {
      const hit = document.elementFromPoint(x, y);
      return hit !== null && (element.contains(hit) || hit.contains(element) || hit.closest('label')?.control === element);
    });
    return hits ? {} : { problem: `something covers what has the focus: ${describe(element)}` };
  };
  const missed = () => all.filter((element) => isShown(element) && element.isConnected && !visited.has(element)).map((element) => `Tab does not reach ${describe(element)}`);
  Object.defineProperty(globalThis, Symbol.for('controls'), { value: { all, visit, missed }, configurable: true });
}
