// @ts-check
// Asks the service. A request that is refused for want of an admin token waits until there is one.

const KEPT = 'rowtide-admin-token';

/** What the service answers when it does not do what is asked. */
export class Refusal extends Error {
  /**
   * @param {number} status 0 if there was no answer
   * @param {string} description
   * @param {string | null} details
   * @param {string} code of the kind of error
   */
  constructor(status, description, details = null, code = '') {
    super(description);
    this.status = status;
    this.description = description;
    this.details = details;
    this.code = code;
  }
}

/** @typedef {{ query?: Record<string, any>, body?: any, yaml?: string }} Options */

export class Api {
  #token = sessionStorage.getItem(KEPT);
  /** @type {Promise<void> | null} */
  #asking = null;

  /** @param {(refusal: Refusal, isFirst: boolean) => Promise<string>} askToken asks the person for the token */
  constructor(askToken) {
    this.askToken = askToken;
  }

  /** Whether a token was given. */
  get hasToken() {
    return this.#token !== null;
  }

  /** Forgets the token. */
  forget() {
    sessionStorage.removeItem(KEPT);
    this.#token = null;
  }

  /**
   * @param {string} path
   * @param {Options} [options] with `body` or `yaml` it is a POST
   * @returns {Promise<any>}
   */
  async ask(path, options = {}) {
    for (;;) {
      const used = this.#token;
      const response = await this.#send(path, options);
      if (response.ok) return response.json();
      const refusal = await refused(response);
      // Nobody can administer this service, or only from another address: a token would not help.
      if (refusal.status === 403) await this.askToken(refusal, true);
      if (refusal.status !== 401) throw refusal;
      // Another request has asked meanwhile.
      if (used !== this.#token) continue;
      this.#asking ??= this.#renew(refusal).finally(() => (this.#asking = null));
      await this.#asking;
    }
  }

  /** @param {Refusal} refusal */
  async #renew(refusal) {
    this.#token = await this.askToken(refusal, this.#token === null);
    sessionStorage.setItem(KEPT, this.#token);
  }

  /**
   * @param {string} path
   * @param {Options} options
   */
  async #send(path, { query, body, yaml }) {
    /** @type {Record<string, string>} */
    const headers = { accept: 'application/json' };
    if (this.#token !== null) headers.authorization = `Bearer ${this.#token}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    else if (yaml !== undefined) headers['content-type'] = 'application/yaml';
    const content = body === undefined ? yaml : JSON.stringify(body);
    const method = content === undefined ? 'GET' : 'POST';
    try {
      return await fetch(path + search(query), { method, headers, body: content, cache: 'no-store' });
    } catch {
      throw new Refusal(0, 'The service does not answer. Is it running? This page tries again by itself.');
    }
  }
}

/** @param {Record<string, any>} [query] */
function search(query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

/** @param {Response} response */
async function refused(response) {
  const body = await response.json().catch(() => null);
  const { description, details = null, code } = body?.error ?? {};
  let text = description ?? body?.message ?? `The service has answered with ${response.status}.`;
  if (description === 'Validation failed' && details) text = problems(details);
  return new Refusal(response.status, text, details, code);
}

/**
 * What is wrong with which member.
 * @param {string} details
 */
function problems(details) {
  try {
    return JSON.parse(details).map((/** @type {string} */ one) => one.replace(/^\/?[^:]*: ?/, '') || one).join('; ');
  } catch {
    return details;
  }
}
