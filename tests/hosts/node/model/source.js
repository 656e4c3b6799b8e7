// The source database behind the sync service, and the application's backend that writes to it: rows by table, each
// replicated into the bucket that the test's routing names.

export class Source {
  #rows = new Map();

  /**
   * @param {import('./service.js').SyncService} service
   * @param {Record<string, (row: object) => string>} routing names the bucket of a row, for each table
   */
  constructor(service, routing) {
    this.service = service;
    this.routing = routing;
  }

  /** The rows of a table, by id. */
  table(name) {
    if (!this.#rows.has(name)) this.#rows.set(name, new Map());
    return this.#rows.get(name);
  }

  /** Changes rows in one transaction: clients see all of it in one checkpoint. */
  transaction(write) {
    this.service.commit(() => write(this));
  }

  /** Inserts a row or replaces it. */
  put(table, id, columns) {
    const rows = this.table(table);
    const before = rows.get(id);
    const row = { id, ...columns };
    rows.set(id, row);
    this.service.commit(() => {
      const bucket = this.#bucket(table, row);
      if (before !== undefined && this.#bucket(table, before) !== bucket) this.#remove(table, before);
      this.service.bucket(bucket).put(this.service.nextOpId(), table, id, JSON.stringify(row));
    });
  }

  /** Changes some columns of a row. */
  patch(table, id, columns) {
    const before = this.table(table).get(id);
    if (before !== undefined) this.put(table, id, { ...before, ...columns });
  }

  /** Deletes a row. */
  delete(table, id) {
    const row = this.table(table).get(id);
    if (row === undefined) return;
    this.table(table).delete(id);
    this.service.commit(() => this.#remove(table, row));
  }

  /** Applies an entry of a client's upload queue. */
  upload(entry) {
    switch (entry.op) {
      case 'PUT':
        return this.put(entry.table, entry.id, entry.opData);
      case 'PATCH':
        return this.patch(entry.table, entry.id, entry.opData);
      case 'DELETE':
        return this.delete(entry.table, entry.id);
      default:
        throw new Error(`unknown kind of write: ${JSON.stringify(entry)}`);
    }
  }

  #bucket(table, row) {
    const route = this.routing[table];
    if (route === undefined) throw new Error(`no bucket for table ${table}`);
    return route(row);
  }

  #remove(table, row) {
    this.service.bucket(this.#bucket(table, row)).remove(this.service.nextOpId(), table, row.id);
  }
}
