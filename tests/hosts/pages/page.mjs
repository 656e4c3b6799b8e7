// A page as a person uses it: controls are found by their roles and names, pressed with a real mouse, and filled in with real
// keys. Nothing here waits for a time: what is not there yet is looked for again when the page has changed.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { within } from '../node/app/promises.js';
import { keyOf } from './keys.mjs';

/** Where screenshots are written. */
const SCREENSHOTS = fileURLToPath(new URL('../../../target/pages/screenshots/', import.meta.url));

/** Runs in each page before its own scripts, and counts what changes in it. */
function countChanges() {
  const changes = { count: 0, waiting: [] };
  const changed = () => {
    changes.count++;
    for (const resolve of changes.waiting.splice(0)) resolve();
  };
  /** Is done when there were more changes than `seen`. */
  changes.after = (seen) => new Promise((resolve) => (changes.count > seen ? resolve() : changes.waiting.push(resolve)));
  new MutationObserver(changed).observe(document, { attributes: true, characterData: true, childList: true, subtree: true });
  const events = ['input', 'change', 'focusin', 'focusout', 'toggle', 'scroll', 'transitionend', 'animationend', 'load', 'hashchange'];
  for (const name of events) addEventListener(name, changed, true);
  Object.defineProperty(globalThis, Symbol.for('changes'), { value: changes });
}

/** What an expression fails with when the page has gone to another address meanwhile. */
const GONE = /context was destroyed|Cannot find context|Inspected target navigated|Could not find node|does not belong to the document|Execution context/i;

export class Page {
  #page;
  /** Errors of scripts, of the policy for content, and what was written with console.error. */
  problems = [];
  /** Addresses of everything that was asked for. */
  requests = [];

  constructor(page) {
    this.#page = page;
    page.listen('Log.entryAdded', ({ entry }) => {
      if (entry.level === 'error') this.problems.push(`${entry.text} ${entry.url ?? ''}`.trim());
    });
    page.listen('Runtime.exceptionThrown', ({ exceptionDetails: { exception, text } }) => {
      this.problems.push(exception?.description ?? text);
    });
    page.listen('Runtime.consoleAPICalled', ({ type, args }) => {
      if (type === 'error') this.problems.push(args.map(({ value, description }) => description ?? String(value)).join(' '));
    });
    page.listen('Network.requestWillBeSent', ({ request }) => this.requests.push(request.url));
  }

  /** Prepares it; `startBrowser` does that. */
  async prepare() {
    for (const domain of ['DOM', 'Accessibility', 'Log', 'Network']) await this.send(`${domain}.enable`);
    await this.send('Page.addScriptToEvaluateOnNewDocument', { source: `(${countChanges})()` });
    return this;
  }

  send(method, params = {}) {
    return this.#page.send(method, params);
  }

  /** Calls a function with the parameters of each event of this name. */
  listen(name, listener) {
    this.#page.listen(name, listener);
  }

  open(address) {
    return this.#page.open(address);
  }

  reload() {
    return this.#page.reload();
  }

  close() {
    return this.#page.close();
  }

  /** The value of a function that is called in the page. Arguments are given as JSON. */
  call(action, ...parameters) {
    return this.#page.evaluate(`(${action})(${parameters.map((parameter) => JSON.stringify(parameter) ?? 'undefined').join(', ')})`);
  }

  evaluate(expression) {
    return this.#page.evaluate(expression);
  }

  /** The address that is shown. */
  address() {
    return this.evaluate('location.href');
  }

  /** Width and height in CSS pixels. Narrow ones are phones, with fingers in place of a mouse. */
  async viewport(width, height) {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
  }

  /** What the person prefers: `scheme` is light or dark, `motion` is reduce or no-preference. */
  async prefer({ scheme = 'light', motion = 'no-preference' } = {}) {
    const features = [
      { name: 'prefers-color-scheme', value: scheme },
      { name: 'prefers-reduced-motion', value: motion },
    ];
    await this.send('Emulation.setEmulatedMedia', { features });
  }

  /** Looks until `look` gives something, again after each change of the page. */
  async until(look, what) {
    let stopped = false;
    const found = (async () => {
      while (!stopped) {
        try {
          const seen = await this.evaluate("globalThis[Symbol.for('changes')]?.count ?? 0");
          const result = await look();
          if (result) return result;
          await this.evaluate(`globalThis[Symbol.for('changes')]?.after(${seen})`);
        } catch (error) {
          if (!GONE.test(error.message)) throw error;
        }
      }
    })();
    try {
      return await within(found, what);
    } catch (error) {
      stopped = true;
      const text = await this.evaluate('document.body.innerText').catch(() => '');
      throw new Error(`${error.message}\nThe page says:\n${text.slice(0, 3000)}\n${this.problems.join('\n')}`, { cause: error });
    }
  }

  /** Waits until a function in the page gives something that is true, and gives that. */
  waitFor(action, ...parameters) {
    return this.until(() => this.call(action, ...parameters), `${action} ${JSON.stringify(parameters)}`);
  }

  /** Waits until a text is shown, or one that fits an expression. */
  see(text) {
    const [source, flags] = text instanceof RegExp ? [text.source, text.flags] : [null, null];
    const look = (text, source, flags) => {
      // A page that is loading has no body yet.
      const shown = document.body?.innerText ?? '';
      return source === null ? shown.includes(text) : new RegExp(source, flags).test(shown);
    };
    return this.until(() => this.call(look, String(text), source, flags), `the text ${text}`);
  }

  /** Waits until a text is no longer shown. */
  seeNoMore(text) {
    return this.until(() => this.call((text) => document.body?.innerText.includes(text) === false, text), `the end of the text ${text}`);
  }

  /** All elements with this role and this name, which is a text or an expression; as assistive technology knows them. */
  async all(role, name) {
    const { root } = await this.send('DOM.getDocument', { depth: 0 });
    const { nodes } = await this.send('Accessibility.queryAXTree', { backendNodeId: root.backendNodeId, role });
    const fits = (text) => name === undefined || (name instanceof RegExp ? name.test(text) : name === text);
    const found = nodes.filter((node) => !node.ignored && fits(node.name?.value ?? ''));
    return found.map((node) => ({
      node: node.backendDOMNodeId,
      name: node.name?.value ?? '',
      value: node.value?.value,
      ...Object.fromEntries((node.properties ?? []).map(({ name, value }) => [name, value.value])),
    }));
  }

  /** Waits for one such element: its name, value and properties (checked, disabled, expanded, …). The first of several. */
  find(role, name) {
    const what = `the ${role} ${name ?? ''}`;
    return this.until(async () => (await this.all(role, name))[0], what);
  }

  /** Waits until there is one, and it is so: `findIn('switch', 'offline', { checked: 'true' })`. */
  findIn(role, name, state) {
    const is = (found) => Object.entries(state).every(([key, value]) => String(found[key]) === String(value));
    const what = `the ${role} ${name} with ${JSON.stringify(state)}`;
    return this.until(async () => (await this.all(role, name)).find(is), what);
  }

  /** Where to press: the middle of an element that nothing covers. */
  async #place(node) {
    await this.send('DOM.scrollIntoViewIfNeeded', { backendNodeId: node });
    const { quads } = await this.send('DOM.getContentQuads', { backendNodeId: node });
    const [quad] = quads;
    if (quad === undefined) return undefined;
    const middle = (first) => (quad[first] + quad[first + 2] + quad[first + 4] + quad[first + 6]) / 4;
    const [x, y] = [middle(0), middle(1)];
    const { object } = await this.send('DOM.resolveNode', { backendNodeId: node });
    const hits = function hits(x, y) {
      const hit = document.elementFromPoint(x, y);
      const label = hit?.closest('label');
      return hit !== null && (this.contains(hit) || hit.contains(this) || label?.control === this);
    };
    const { result } = await this.send('Runtime.callFunctionOn', {
      objectId: object.objectId,
      functionDeclaration: String(hits),
      arguments: [{ value: x }, { value: y }],
      returnByValue: true,
    });
    return result.value ? { x, y } : undefined;
  }

  /** Presses an element with the mouse, when it is there and nothing covers it. */
  async click(role, name) {
    const look = async () => {
      const found = (await this.all(role, name)).find(({ disabled }) => disabled !== true);
      return found && this.#place(found.node);
    };
    const place = await this.until(look, `the ${role} ${name} to press`);
    await this.mouse(place);
  }

  /** Presses at a place of the viewport. */
  async mouse({ x, y }) {
    await this.send('Input.dispatchMouseEvent', { type: 'mouseMoved', x, y });
    for (const type of ['mousePressed', 'mouseReleased']) {
      await this.send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
    }
  }

  /** Moves the mouse away, so that nothing looks pointed at. */
  leave() {
    return this.send('Input.dispatchMouseEvent', { type: 'mouseMoved', x: 0, y: 0 });
  }

  /** Gives an element the focus. */
  async focus(role, name) {
    const { node } = await this.find(role, name);
    await this.send('DOM.focus', { backendNodeId: node });
  }

  /** Presses keys one after the other: `press('Control+k', 'ArrowDown', 'Enter')`. */
  async press(...keys) {
    for (const key of keys) {
      const event = keyOf(key);
      await this.send('Input.dispatchKeyEvent', { ...event, type: event.text === undefined ? 'rawKeyDown' : 'keyDown' });
      await this.send('Input.dispatchKeyEvent', { ...event, type: 'keyUp', text: undefined });
    }
  }

  /** Types a text where the focus is. */
  async type(text) {
    for (const character of text) {
      // Keyboards have no key for other characters; they come from an input method.
      if (character >= ' ' && character <= '~') await this.press(character === '+' ? 'Plus' : character);
      else await this.send('Input.insertText', { text: character });
    }
  }

  /** Replaces what is in a field. */
  async fill(role, name, text) {
    await this.click(role, name);
    await this.press('Control+a');
    if (text === '') await this.press('Delete');
    await this.type(text);
  }

  /** Writes a picture of the viewport, or of the whole page. */
  async screenshot(name, { whole = false } = {}) {
    // What is loading, such as fonts, is there, and two frames are drawn.
    await this.evaluate('document.fonts.ready.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))))');
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: whole });
    const file = `${SCREENSHOTS}${name}.png`;
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, Buffer.from(data, 'base64'));
    return file;
  }
}
