// The part of an application that the SDK asks for: credentials, and the upload of local writes.

/** Uploads to the source database of the test, one transaction after the other. */
export class Connector {
  /** Transactions that were uploaded, each a list of `{op, table, id, data, old, metadata}`. */
  uploads = [];
  /** Called before each upload; a test can wait or fail there. */
  beforeUpload = async () => {};
  /** How often the SDK asked for credentials. */
  credentialRequests = 0;
  /** The token for the n-th time the SDK asks for one, counted from 1. */
  token = (number) => `token-${number}`;

  /**
   * @param {import('../service/service.js').SyncService} service
   * @param {import('../service/source.js').Source} source
   */
  constructor(service, source) {
    this.service = service;
    this.source = source;
  }

  async fetchCredentials() {
    this.credentialRequests += 1;
    return { endpoint: this.service.url, token: this.token(this.credentialRequests) };
  }

  async uploadData(database) {
    for await (const transaction of database.getCrudTransactions()) {
      await this.beforeUpload(transaction);
      this.source.transaction(() => transaction.crud.forEach((entry) => this.source.upload(entry)));
      this.uploads.push(transaction.crud.map(describe));
      await transaction.complete();
    }
  }
}

/** An entry without the members that it does not have. */
function describe({ op, table, id, opData: data, previousValues: old, metadata }) {
  return JSON.parse(JSON.stringify({ op, table, id, data, old, metadata }));
}
