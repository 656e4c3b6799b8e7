// The source database: an SQLite file that the service follows. This process changes it as any other program would.

import Database from 'better-sqlite3';

const quoted = (name) => `"${name.replaceAll('"', '""')}"`;

export class Source {
  #database;

  /** @param {string} seed SQL that creates the tables */
  constructor(file, seed) {
    this.url = `sqlite:${file}`;
    this.#database = new Database(file);
    this.#database.pragma('journal_mode = WAL');
    this.#database.pragma('synchronous = OFF');
    this.#database.exec(seed);
  }

  close() {
    this.#database.close();
  }

  /** Runs SQL. */
  execute(sql) {
    this.#database.exec(sql);
  }

  /** The rows of a table, by id. */
  table(name) {
    const rows = this.#database.prepare(`SELECT * FROM ${quoted(name)} ORDER BY id`).all();
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** Changes rows in one transaction: clients see all of it in one checkpoint. */
  transaction(write) {
    this.#database.transaction(() => write(this)).immediate();
  }

  /** Inserts a row or replaces it. */
  put(table, id, columns) {
    const row = { id, ...columns };
    const names = Object.keys(row).map(quoted).join(', ');
    const values = Object.keys(row).map(() => '?').join(', ');
    this.#database.prepare(`INSERT OR REPLACE INTO ${quoted(table)} (${names}) VALUES (${values})`).run(Object.values(row));
  }

  /** Changes some columns of a row. */
  patch(table, id, columns) {
    const changes = Object.keys(columns).map((name) => `${quoted(name)} = ?`).join(', ');
    this.#database.prepare(`UPDATE ${quoted(table)} SET ${changes} WHERE id = ?`).run([...Object.values(columns), id]);
  }

  /** Deletes a row. */
  delete(table, id) {
    this.#database.prepare(`DELETE FROM ${quoted(table)} WHERE id = ?`).run(id);
  }
}
