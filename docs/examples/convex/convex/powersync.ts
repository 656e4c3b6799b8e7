// Applies what clients upload, in one mutation for each of their transactions. The sync service calls these functions with
// the deploy key; clients cannot, since they are internal.
//
// `authorize` is yours: it decides who may do what. `schema.ts` needs the table `powersync_results`, and for each table that
// clients write a field `uuid` with an index `by_uuid`.

import { internalMutationGeneric as internalMutation, internalQueryGeneric as internalQuery } from "convex/server";
import type { GenericDatabaseWriter } from "convex/server";
import { ConvexError, v, type Value } from "convex/values";
import schema from "./schema.js";

type Row = Record<string, Value>;

/** What a client does with a row. */
export interface Operation {
  op: "PUT" | "PATCH" | "DELETE";
  table: string;
  id: string;
  values: Record<string, string | number | boolean | null>;
  previous?: Record<string, string | number | boolean | null>;
  on_conflict: "last_write" | "column" | "reject";
}

/** Who uploads: `sub` of the token, and all of its claims. */
export interface User {
  id: string;
  claims: Record<string, unknown>;
}

/**
 * Throw here what a user may not do. `before` is the document as it is, `after` as it will be; null if there is none.
 *
 *   if (before && before.owner !== user.id) refuse("This is somebody else's.");
 *   if (after && after.owner !== user.id) refuse("Set the owner by `set: {owner: auth.user_id()}` in the write rules.");
 */
export function authorize(user: User, operation: Operation, before: Row | null, after: Row | null): void {}

export function refuse(message: string): never {
  throw new ConvexError({ error_code: "UNAUTHORIZED", message });
}

// So many results of a client are kept at least. Old ones are deleted after as many new ones, since that reads them all.
const KEPT = 1000;
const EVERY = 32;

const scalar = v.union(v.string(), v.number(), v.boolean(), v.null());
const values = v.record(v.string(), scalar);

export const applyTransaction = internalMutation({
  args: {
    transaction: v.object({
      user: v.optional(v.string()),
      claims: v.optional(v.string()),
      operations: v.array(
        v.object({
          op: v.union(v.literal("PUT"), v.literal("PATCH"), v.literal("DELETE")),
          table: v.string(),
          id: v.string(),
          values,
          previous: v.optional(values),
          on_conflict: v.union(v.literal("last_write"), v.literal("column"), v.literal("reject")),
        }),
      ),
    }),
    key: v.union(
      v.null(),
      v.object({
        user: v.string(),
        client: v.string(),
        queue: v.string(),
        transaction: v.string(),
        hash: v.string(),
      }),
    ),
  },
  handler: async ({ db }, args) => apply(db, args.transaction, args.key),
});

/** The tables that clients could write, with their fields: write rules are checked against them. */
export const describe = internalQuery({
  args: {},
  handler: async () => {
    const tables: Record<string, Record<string, string>> = {};
    for (const [table, fields] of Object.entries(fieldsOfTables())) {
      if (!("uuid" in fields)) continue;
      tables[table] = {};
      for (const [name, field] of Object.entries(fields)) tables[table][name] = kindOf(field);
    }
    return { tables };
  },
});

interface Transaction {
  user?: string;
  claims?: string;
  operations: Operation[];
}

interface Key {
  user: string;
  client: string;
  queue: string;
  transaction: string;
  hash: string;
}

interface Conflict {
  operation_index: number;
  column: string;
}

interface Result {
  status: "applied" | "repeated" | "mismatch";
  conflicts: Conflict[];
}

/** Any table, with the indexes that are used here. */
interface AnyTable {
  document: any;
  fieldPaths: string;
  indexes: {
    by_key: ["key", "_creationTime"];
    by_client: ["client", "_creationTime"];
    by_uuid: ["uuid", "_creationTime"];
  };
  searchIndexes: {};
  vectorIndexes: {};
}

type Db = GenericDatabaseWriter<Record<string, AnyTable>>;

async function apply(db: Db, transaction: Transaction, key: Key | null): Promise<Result> {
  const name = key && JSON.stringify([key.user, key.client, key.queue, key.transaction]);
  if (key && name) {
    const known = await db
      .query("powersync_results")
      .withIndex("by_key", (q) => q.eq("key", name))
      .first();
    if (known) {
      return {
        status: known.hash === key.hash ? "repeated" : "mismatch",
        conflicts: known.conflicts as Conflict[],
      };
    }
  }
  const user = { id: transaction.user ?? "", claims: JSON.parse(transaction.claims ?? "{}") };
  const conflicts: Conflict[] = [];
  for (const [index, operation] of transaction.operations.entries()) {
    await applyOperation(db, user, operation, index, conflicts);
  }
  if (key && name) {
    const client = JSON.stringify([key.user, key.client]);
    await db.insert("powersync_results", { key: name, hash: key.hash, client, conflicts });
    if (Number(key.transaction) % EVERY === 0) await forget(db, client);
  }
  return { status: "applied", conflicts };
}

/** Deletes results that a client has too many of: a few at a time, so that the mutation stays small. */
async function forget(db: Db, client: string): Promise<void> {
  const results = await db
    .query("powersync_results")
    .withIndex("by_client", (q) => q.eq("client", client))
    .take(KEPT + 2 * EVERY);
  const surplus = results.length - KEPT;
  for (const result of results.slice(0, Math.max(surplus, 0))) await db.delete(result._id);
}

async function applyOperation(db: Db, user: User, operation: Operation, index: number, conflicts: Conflict[]) {
  const { op, table, id } = operation;
  const fail = (error_code: string, message: string): never => {
    throw new ConvexError({ error_code, message, operation_index: index });
  };
  const fields = fieldsOfTables()[table] ?? fail("SCHEMA_MISMATCH", `The schema has no table ${table}.`);
  const converted = (values: Operation["values"]) => {
    const row: Record<string, Value | undefined> = {};
    for (const [name, value] of Object.entries(values)) {
      const field = fields[name] ?? fail("SCHEMA_MISMATCH", `The table ${table} has no field ${name}.`);
      try {
        row[name] = convert(field, value);
      } catch {
        fail("INVALID_DATA", `The value of ${table}.${name} is no ${kindOf(field)}.`);
      }
    }
    return row;
  };
  const before = await db
    .query(table)
    .withIndex("by_uuid", (q) => q.eq("uuid", id))
    .first();
  const written = converted(operation.values);
  let changed: string[] = [];
  if (operation.on_conflict !== "last_write" && operation.previous) {
    const seen = converted(operation.previous);
    if (before) changed = Object.keys(seen).filter((name) => !same(before[name], seen[name]));
    else if (op === "PATCH") changed = [""];
  }
  if (changed.length > 0 && operation.on_conflict === "reject") {
    throw new ConvexError({
      error_code: "CONFLICT",
      message: `The row of the table ${table} was changed meanwhile.`,
      operation_index: index,
      conflicts: changed.map((column) => ({ operation_index: index, column })),
    });
  }
  for (const name of Object.keys(written).sort()) {
    if (!changed.includes(name)) continue;
    conflicts.push({ operation_index: index, column: name });
    delete written[name];
  }
  if (op === "PATCH" && !before) return;
  const after = op === "DELETE" ? null : ({ ...(before ?? { uuid: id }), ...written } as Row);
  try {
    authorize(user, operation, before as Row | null, after);
  } catch (error) {
    if (!(error instanceof ConvexError) || typeof error.data !== "object") throw error;
    throw new ConvexError({ ...error.data, operation_index: index });
  }
  if (op === "DELETE") {
    if (before) await db.delete(before._id);
  } else if (before) {
    // A field that is undefined here is removed.
    await db.patch(before._id, written);
  } else {
    await db.insert(table, withoutUndefined({ uuid: id, ...written }));
  }
}

function withoutUndefined(row: Record<string, Value | undefined>): Row {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as Row;
}

/** What is needed of a validator. */
interface Field {
  kind: string;
  isOptional: "optional" | "required";
  members?: Field[];
  value?: unknown;
}

function fieldsOfTables(): Record<string, Record<string, Field>> {
  const fields: Record<string, Record<string, Field>> = {};
  for (const [table, definition] of Object.entries(schema.tables)) {
    const validator = (definition as { validator: unknown }).validator as { fields?: Record<string, Field> };
    if (validator.fields) fields[table] = validator.fields;
  }
  return fields;
}

function kindOf(field: Field): string {
  return field.isOptional === "optional" ? `${field.kind}?` : field.kind;
}

/** The value of a field for a value of SQLite; undefined: the document does not have the field. Throws if it has none. */
function convert(field: Field, value: string | number | boolean | null): Value | undefined {
  if (value === null && field.isOptional === "optional") return undefined;
  switch (field.kind) {
    case "any":
      return value;
    case "union":
      for (const member of field.members ?? []) {
        try {
          return convert(member, value);
        } catch {
          // Perhaps the next one.
        }
      }
      throw new Error();
    case "literal":
      for (const one of [value, value === 1 ? true : value === 0 ? false : value, String(value)]) {
        if (one === field.value) return one;
      }
      if (typeof field.value === "bigint" && toInteger(value) === field.value) return field.value;
      throw new Error();
    case "null":
      if (value === null) return null;
      throw new Error();
    case "boolean":
      if (typeof value === "boolean") return value;
      if (value === 0 || value === 1) return value === 1;
      throw new Error();
    case "float64":
      return toFloat(value);
    case "int64":
      return toInteger(value);
    case "bytes":
      return toBytes(value);
    case "string":
    case "id":
      if (typeof value === "string") return value;
      throw new Error();
    case "array":
    case "object":
    case "record": {
      if (typeof value !== "string") throw new Error();
      const parsed = JSON.parse(value);
      const isArray = Array.isArray(parsed);
      if (typeof parsed !== "object" || parsed === null || isArray !== (field.kind === "array")) throw new Error();
      return parsed;
    }
    default:
      throw new Error();
  }
}

function toFloat(value: unknown): number {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || value.trim() === "") throw new Error();
  const float = Number(value);
  if (Number.isNaN(float) && value.trim() !== "NaN") throw new Error();
  return float;
}

/** Integers beyond 2^53 come as texts, so that no digit is lost. */
function toInteger(value: unknown): bigint {
  const isText = typeof value === "string" && /^-?\d+$/.test(value);
  if (!isText && !Number.isSafeInteger(value)) throw new Error();
  const integer = BigInt(value as string | number);
  if (BigInt.asIntN(64, integer) !== integer) throw new Error();
  return integer;
}

function toBytes(value: unknown): ArrayBuffer {
  if (typeof value !== "string" || !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value)) {
    throw new Error();
  }
  return Uint8Array.from(atob(value), (character) => character.charCodeAt(0)).buffer;
}

/** Whether two values of documents are the same. */
function same(left: Value | undefined, right: Value | undefined): boolean {
  if (left instanceof ArrayBuffer && right instanceof ArrayBuffer) {
    const [a, b] = [new Uint8Array(left), new Uint8Array(right)];
    return a.length === b.length && a.every((byte, at) => byte === b[at]);
  }
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) {
    return Object.is(left, right);
  }
  const [a, b] = [Object.entries(left), Object.entries(right)];
  if (Array.isArray(left) !== Array.isArray(right) || a.length !== b.length) return false;
  return a.every(([name, value]) => same(value as Value, (right as Row)[name]));
}
