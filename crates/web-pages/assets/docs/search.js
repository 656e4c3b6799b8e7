// The search: a field with a list of what was found below it. `/` goes to it, arrows choose, Enter follows, Escape closes.
import { Index } from './ranking.js';

/** How many are shown. */
const SHOWN = 30;

/** Makes a field search. */
export function startSearch({ field, panel, list, count }) {
  let index;
  let chosen = -1;

  /** Fetches the index when somebody is about to search. */
  const load = () => {
    index ??= fetch('/assets/docs/search.json').then(async (response) => {
      if (!response.ok) throw new Error(`${response.status}`);
      return new Index(await response.json());
    });
    index.catch(() => (index = undefined));
    return index;
  };

  const close = () => {
    panel.hidden = true;
    field.setAttribute('aria-expanded', 'false');
    choose(-1);
  };

  const choose = (number) => {
    const options = list.children;
    options[chosen]?.setAttribute('aria-selected', 'false');
    chosen = number;
    const option = options[chosen];
    option?.setAttribute('aria-selected', 'true');
    option?.scrollIntoView({ block: 'nearest' });
    if (option) field.setAttribute('aria-activedescendant', option.id);
    else field.removeAttribute('aria-activedescendant');
  };

  const show = async () => {
    const query = field.value;
    if (query.trim() === '') return close();
    let found;
    try {
      found = (await load()).find(query, SHOWN);
    } catch {
      found = undefined;
    }
    // The field may have changed meanwhile.
    if (query !== field.value) return;
    list.replaceChildren(...(found?.hits ?? []).map(option));
    count.textContent = sentence(found, query);
    panel.hidden = false;
    field.setAttribute('aria-expanded', 'true');
    panel.scrollTop = 0;
    choose(found?.hits.length > 0 ? 0 : -1);
  };

  const keys = {
    ArrowDown: () => choose((chosen + 1) % list.children.length),
    ArrowUp: () => choose((chosen + list.children.length - 1) % list.children.length),
    Enter: () => list.children[chosen]?.click(),
    Escape: () => {
      if (panel.hidden) field.blur();
      close();
    },
  };

  field.addEventListener('focus', () => {
    load();
    if (field.value !== '') show();
  });
  field.addEventListener('input', show);
  field.addEventListener('keydown', (event) => {
    const action = keys[event.key];
    if (action === undefined || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key !== 'Escape' && (panel.hidden || list.children.length === 0)) return;
    event.preventDefault();
    action();
  });
  field.closest('search').addEventListener('focusout', (event) => {
    if (!event.currentTarget.contains(event.relatedTarget)) close();
  });
  // A press on the panel leaves the focus in the field.
  panel.addEventListener('mousedown', (event) => event.preventDefault());
  list.addEventListener('click', (event) => {
    if (event.target.closest('a')) close();
  });
  addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.('input, textarea, select, [contenteditable]')) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
}

function sentence(found, query) {
  if (found === undefined) return 'The search could not be loaded. Is the service still running?';
  if (found.total === 0) return `Nothing in the docs has “${query.trim()}”.`;
  const places = found.total === 1 ? '1 place' : `${found.total} places`;
  return found.hits.length < found.total ? `${places}, the best ${found.hits.length}` : places;
}

function option({ title, heading, address, excerpt }, number) {
  const element = document.createElement('a');
  element.id = `found-${number}`;
  element.href = address;
  element.tabIndex = -1;
  element.setAttribute('role', 'option');
  element.setAttribute('aria-selected', 'false');
  const name = document.createElement('b');
  if (heading === title) name.append(title);
  else {
    const page = document.createElement('i');
    page.textContent = `${title} › `;
    name.append(page, heading);
  }
  const text = document.createElement('span');
  for (const { text: part, isMatch } of excerpt) {
    if (!isMatch) {
      text.append(part);
      continue;
    }
    const mark = document.createElement('mark');
    mark.textContent = part;
    text.append(mark);
  }
  element.append(name, text);
  return element;
}
