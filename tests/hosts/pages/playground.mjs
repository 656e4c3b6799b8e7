// What the tests of the playground share: a page with both devices, and what each of them shows.

/** One device of a page. */
class Pane {
  #page;

  constructor(page, kind) {
    this.#page = page;
    this.kind = kind;
  }

  /** Waits until it shows a text, or one that fits an expression. */
  see(text) {
    const [source, flags] = text instanceof RegExp ? [text.source, text.flags] : [null, ''];
    const look = (kind, text, source, flags) => {
      const shown = document.querySelector(`.${kind}`)?.innerText ?? '';
      return source === null ? shown.includes(text) : new RegExp(source, flags).test(shown);
    };
    return this.#page.until(() => this.#page.call(look, this.kind, String(text), source, flags), `${text} on the ${this.kind}`);
  }

  /** Waits until it shows exactly these items of the list that is chosen; those that are done begin with an x. */
  items(...expected) {
    const look = (kind, expected) => {
      const rows = [...document.querySelectorAll(`.${kind} .items li`)];
      const shown = rows.map((row) => (row.querySelector('input').checked ? 'x ' : '') + row.querySelector('textarea').value);
      return JSON.stringify(shown.sort()) === JSON.stringify(expected.sort());
    };
    return this.#page.until(() => this.#page.call(look, this.kind, expected), `the items ${expected.join(', ')} on the ${this.kind}`);
  }

  /** Waits until exactly these sentences wait to be uploaded. */
  queue(...expected) {
    const look = (kind, expected) => {
      const shown = [...document.querySelectorAll(`.${kind} .queue .sentences:not(.refused) li`)].map((row) => row.textContent);
      return JSON.stringify(shown) === JSON.stringify(expected);
    };
    return this.#page.until(() => this.#page.call(look, this.kind, expected), `the queue ${expected.join(', ')} on the ${this.kind}`);
  }

  /** Waits until the connection is in this state, by its word. */
  connection(word) {
    return this.#fact(0, word);
  }

  /** Waits until the gate is open or closed, for a reason. */
  gate(word, reason = '') {
    return this.#fact(1, word, reason);
  }

  #fact(index, word, reason = '') {
    const look = (kind, index, word, reason) => {
      const fact = document.querySelectorAll(`.${kind} .fact`)[index];
      return fact?.querySelector('.pill').textContent === word && fact.querySelector('.text').textContent.includes(reason);
    };
    return this.#page.until(() => this.#page.call(look, this.kind, index, word, reason), `${word} ${reason} on the ${this.kind}`);
  }

  /** Waits until it is up to date, with nothing to upload and the gate open. */
  async upToDate() {
    await this.connection('Up to date');
    await this.queue();
    await this.gate('Gate open');
  }

  switch() {
    return this.#page.click('switch', new RegExp(`^${this.kind} is online$`, 'i'));
  }

  /** Adds an item, and waits until it is there: what is seen afterwards is not from before. */
  async add(text) {
    await this.#page.click('textbox', `New item on the ${this.kind}`);
    await this.#page.type(text);
    await this.#page.press('Enter');
    const look = (kind, text) => [...document.querySelectorAll(`.${kind} .items textarea`)].some(({ value }) => value === text);
    await this.#page.until(() => this.#page.call(look, this.kind, text), `the item ${text} on the ${this.kind}`);
  }

  async addList(text) {
    await this.#page.click('textbox', `New list on the ${this.kind}`);
    await this.#page.type(text);
    await this.#page.press('Enter');
  }

  /** Presses what is in this device, by its role and name: both devices have the same items. */
  async press(role, name) {
    const mark = (kind) => {
      for (const device of document.querySelectorAll('.device')) device.inert = !device.classList.contains(kind);
    };
    await this.#page.call(mark, this.kind);
    try {
      await this.#page.click(role, name);
    } finally {
      await this.#page.evaluate("for (const device of document.querySelectorAll('.device')) device.inert = false");
    }
  }
}

/** Opens the playground in a page. */
export async function playground(page, dev) {
  await page.open(`${dev.url}/`);
  return devices(page);
}

/** Both devices of a page. */
export function devices(page) {
  return { phone: new Pane(page, 'phone'), laptop: new Pane(page, 'laptop') };
}
