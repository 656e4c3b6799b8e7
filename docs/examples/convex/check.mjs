// Holds convex/powersync.ts, as `tsc` has compiled it, to cases.json. The database is a few lines below, not Convex: what
// Convex itself does (validators of arguments, transactions, who may call internal functions) is not tried here.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { ConvexError, convexToJson, jsonToConvex } from "convex/values";
import { applyTransaction, describe } from "./build/powersync.js";
import schema from "./build/schema.js";

const { schema: kinds, cases } = JSON.parse(readFileSync(new URL("cases.json", import.meta.url)));

// The tables of the cases in place of those of the example.
const optional = (kind) => kind.endsWith("?");
const field = (kind) => ({ kind: kind.replace("?", ""), isOptional: optional(kind) ? "optional" : "required" });
for (const table of Object.keys(schema.tables)) delete schema.tables[table];
for (const [table, fields] of Object.entries(kinds)) {
  const entries = Object.entries(fields).map(([name, kind]) => [name, field(kind)]);
  schema.tables[table] = { validator: { kind: "object", fields: Object.fromEntries(entries) } };
}

/** What a mutation sees as `db`: its writes are visible to it, and kept only if it does not throw. */
class Database {
  documents = new Map();
  next = 1;

  query(table) {
    const of = () => [...this.documents.values()].filter((document) => this.table(document._id) === table);
    const chain = (found) => ({ first: async () => found()[0] ?? null, take: async (count) => found().slice(0, count) });
    const withIndex = (_index, range) => {
      let matches;
      range({ eq: (name, value) => (matches = (document) => document[name] === value) });
      return chain(() => of().filter(matches));
    };
    return { ...chain(of), withIndex };
  }

  table(id) {
    return id.split(":")[0];
  }

  check(table, document) {
    for (const [name, kind] of Object.entries(kinds[table] ?? {})) {
      if (!optional(kind) && document[name] === undefined) {
        throw new Error(`Failed to insert or update a document in table "${table}" because it does not match the schema`);
      }
    }
  }

  async insert(table, fields) {
    for (const value of Object.values(fields)) assert.notEqual(value, undefined, "Convex stores no undefined");
    this.check(table, fields);
    const _id = `${table}:${this.next++}`;
    this.documents.set(_id, { ...fields, _id, _creationTime: 1 });
    return _id;
  }

  async patch(id, fields) {
    const document = { ...this.documents.get(id), ...fields };
    for (const [name, value] of Object.entries(document)) if (value === undefined) delete document[name];
    this.check(this.table(id), document);
    this.documents.set(id, document);
  }

  async delete(id) {
    assert(this.documents.delete(id), "Convex refuses to delete what is not there");
  }
}

async function call(database, args) {
  const before = new Map(database.documents);
  try {
    return { value: await applyTransaction._handler({ db: database }, args) };
  } catch (error) {
    database.documents = before;
    if (error instanceof ConvexError) return { error: error.data };
    return { throws: error.message.includes("does not match the schema") };
  }
}

for (const { name, before = {}, calls, after = {} } of cases) {
  const database = new Database();
  for (const [table, documents] of Object.entries(before)) {
    for (const document of documents) await database.insert(table, jsonToConvex(document));
  }
  for (const { args, gives } of calls) assert.deepEqual(await call(database, args), gives, name);
  for (const [table, expected] of Object.entries(after)) {
    const documents = [...database.documents.values()].filter((document) => database.table(document._id) === table);
    const shown = documents.map(({ _id, _creationTime, ...fields }) => convexToJson(fields));
    shown.sort((left, right) => (left.uuid < right.uuid ? -1 : 1));
    assert.deepEqual(shown, expected, name);
  }
}
assert.deepEqual((await describe._handler({})).tables, kinds);

// Of one client, no more results are kept than it could need.
const database = new Database();
for (let number = 0; number < 1100; number++) {
  const key = { user: "u", client: "c", queue: "q", transaction: `${number}`, hash: "h" };
  assert.equal((await call(database, { transaction: { operations: [] }, key })).value.status, "applied");
}
assert(database.documents.size >= 1000 && database.documents.size < 1032);

console.log(`${cases.length} cases passed`);
