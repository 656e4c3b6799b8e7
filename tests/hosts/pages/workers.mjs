// The workers of a page, as the debugger sees them: what is run in them before their own scripts, or later.

export class Workers {
  #page;
  #number = 0;
  #sessions = [];

  /**
   * Takes hold of the workers that the page starts from now on. Each runs a script before its own, if there is one.
   *
   * @param {import('./page.mjs').Page} page
   * @param {string} before
   */
  static async of(page, before) {
    const workers = new Workers();
    workers.#page = page;
    page.listen('Target.attachedToTarget', ({ sessionId, targetInfo }) => workers.#attached(sessionId, targetInfo, before));
    page.listen('Target.detachedFromTarget', ({ sessionId }) => {
      workers.#sessions = workers.#sessions.filter((session) => session.id !== sessionId);
    });
    await page.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: before !== undefined, flatten: false });
    return workers;
  }

  /** Runs a script in the newest worker of a device. */
  run(device, expression) {
    const { id } = this.#sessions.findLast(({ url }) => url.endsWith(`device=${device}`));
    return this.#send(id, 'Runtime.evaluate', { expression });
  }

  async #attached(id, { type, url }, before) {
    if (type !== 'worker') return;
    this.#sessions.push({ id, url });
    if (before === undefined) return;
    await this.#send(id, 'Runtime.evaluate', { expression: before });
    await this.#send(id, 'Runtime.runIfWaitingForDebugger', {});
  }

  /** Messages are handled in the order in which they are sent, so that nothing waits for their answers. */
  #send(sessionId, method, params) {
    this.#number += 1;
    const message = JSON.stringify({ id: this.#number, method, params });
    return this.#page.send('Target.sendMessageToTarget', { sessionId, message });
  }
}
