// The service, as one user sees it: requests with a token, which is fetched again when the service refuses it.

/** After how many ms a request that is no stream counts as lost. */
const PATIENCE = 20_000;

/** The service has answered, but not with what was asked for. */
export class Refused extends Error {
  /**
   * @param {string} path
   * @param {number} status
   * @param {string} description
   */
  constructor(path, status, description) {
    super(`${path} answers ${status}${description ? `: ${description}` : ''}`);
    this.name = 'Refused';
    this.status = status;
  }
}

/** There is no answer. Browsers do not say why. */
class Unreachable extends Error {
  constructor(cause) {
    super(cause.name === 'TimeoutError' ? 'The service takes too long to answer.' : 'The service does not answer.', { cause });
    this.name = 'Unreachable';
  }
}

export class Service {
  #token = null;
  #end = new AbortController();

  /**
   * @param {string} user
   * @param {(kind: string, text: string) => void} log
   */
  constructor(user, log) {
    this.user = user;
    this.log = log;
  }

  /** Ends all requests, as a device does that goes offline. Later ones are made as usual. */
  abort() {
    this.#end.abort();
    this.#end = new AbortController();
  }

  /** The next request gets a new token. */
  forgetToken() {
    this.#token = null;
  }

  /** Fetches a token unless there is one. An app asks its own backend for it. */
  async token() {
    if (this.#token === null) {
      const answer = await this.#fetch(`/dev/token?user=${encodeURIComponent(this.user)}`, { signal: AbortSignal.timeout(PATIENCE) });
      this.#token = await answer.text();
    }
    return this.#token;
  }

  /** Opens the stream; the lines are in the body of the answer. */
  openStream(request, signal) {
    return this.#withToken('/sync/stream', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/x-ndjson' },
      body: JSON.stringify(request),
      signal
    });
  }

  /** Sends transactions of the upload queue; gives one result for each. */
  async upload(body) {
    const headers = { 'content-type': 'application/json' };
    const options = { method: 'POST', headers, body: JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE) };
    const answer = await this.#withToken('/api/data', options);
    return (await answer.json()).results;
  }

  /** The id that a checkpoint will have when it covers everything uploaded so far. */
  async writeCheckpoint(clientId) {
    const path = `/write-checkpoint2.json?client_id=${encodeURIComponent(clientId)}`;
    const answer = await this.#withToken(path, { signal: AbortSignal.timeout(PATIENCE) });
    return (await answer.json()).data.write_checkpoint;
  }

  /** The tables of clients, as text. */
  async schema() {
    const answer = await this.#fetch('/dev/schema', { signal: AbortSignal.timeout(PATIENCE) });
    return answer.text();
  }

  async #withToken(path, options) {
    const headers = { ...options.headers, authorization: `Token ${await this.token()}` };
    try {
      return await this.#fetch(path, { ...options, headers });
    } catch (error) {
      if (error.status === 401) this.forgetToken();
      throw error;
    }
  }

  async #fetch(path, options) {
    this.log('sent', `${options.method ?? 'GET'} ${path}${options.body ? ` ${options.body}` : ''}`);
    const signal = AbortSignal.any([options.signal, this.#end.signal]);
    const answer = await fetch(path, { ...options, signal, cache: 'no-store' }).catch((error) => {
      throw new Unreachable(error);
    });
    if (answer.ok) return answer;
    const text = await answer.text().catch(() => '');
    throw new Refused(path.replace(/\?.*/, ''), answer.status, describe(text));
  }
}

/** The description in the body of an error; nothing if there is none. */
function describe(text) {
  try {
    return JSON.parse(text).error.description ?? '';
  } catch {
    return '';
  }
}
