// The part of an application that the SDK asks for, for the real service: tokens, and the upload of local writes.

import { tokenOf } from './token.js';

/** The service takes this many transactions at once. */
const MOST = 50;

export class Connector {
  /** Transactions that the service has taken, each a list of `{op, table, id, data, old, metadata}`. */
  uploads = [];
  /** What the service said of transactions that it refused. */
  refused = [];
  /** Called before each transaction is uploaded; a test can wait or fail there. */
  beforeUpload = async () => {};
  /** Who uploads, `{client_id, queue}`: the service then takes each transaction once. */
  identity = {};
  /** Called before credentials are given; a test can wait or fail there. */
  beforeCredentials = async () => {};
  /** How often the SDK asked for credentials. */
  credentialRequests = 0;
  /** The token for the n-th time the SDK asks for one, counted from 1. */
  token = () => tokenOf(this.user);

  /**
   * @param {{url: string}} service
   * @param {string} user
   */
  constructor(service, user) {
    this.service = service;
    this.user = user;
  }

  /** Waits until the service has what the source has now, which a client that connects then gets at once. */
  async beforeConnect() {
    const headers = { authorization: `Token ${tokenOf(this.user)}` };
    const response = await fetch(`${this.service.url}/write-checkpoint.json`, { headers });
    if (!response.ok) throw new Error(`waiting for the source: ${response.status}`);
    await response.body.cancel();
  }

  async fetchCredentials() {
    this.credentialRequests += 1;
    const number = this.credentialRequests;
    await this.beforeCredentials();
    return { endpoint: this.service.url, token: this.token(number) };
  }

  async uploadData(database) {
    const transactions = [];
    for await (const transaction of database.getCrudTransactions()) {
      await this.beforeUpload(transaction);
      if (transactions.push(transaction) === MOST) break;
    }
    if (transactions.length === 0) return;
    const results = await this.send(transactions);
    const end = results.findIndex(({ status }) => status !== 'success' && status !== 'fatal_error');
    const done = end === -1 ? results : results.slice(0, end);
    done.forEach((result, index) => {
      if (result.status === 'success') this.uploads.push(transactions[index].crud.map(describe));
      else this.refused.push(result);
    });
    // This completes those before it, too. What was refused is undone by the next checkpoint.
    await transactions[done.length - 1]?.complete();
    if (results[end]?.status === 'retryable_error') throw new Error(results[end].message);
  }

  /** Sends transactions; gives the result of each. */
  async send(transactions) {
    const body = transactions.map(({ transactionId, crud }) => ({ transaction_id: transactionId, crud: crud.map(operation) }));
    const response = await fetch(`${this.service.url}/api/data`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tokenOf(this.user)}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...this.identity, transactions: body })
    });
    if (!response.ok) throw new Error(`uploading: ${response.status}`);
    return (await response.json()).results;
  }
}

/** An entry as `POST /api/data` takes it. */
function operation({ op, table, id, opData, previousValues, metadata }) {
  return { op, table, id, op_data: opData, previous_values: previousValues, metadata };
}

/** An entry without the members that it does not have. */
function describe({ op, table, id, opData: data, previousValues: old, metadata }) {
  return JSON.parse(JSON.stringify({ op, table, id, data, old, metadata }));
}
