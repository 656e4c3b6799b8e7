// The tables of the app. Every table that clients write has a field `uuid` with the id that clients make, and an index
// `by_uuid` on it.

import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  todos: defineTable({
    uuid: v.string(),
    text: v.string(),
    done: v.optional(v.boolean()),
    owner: v.optional(v.string()),
  }).index("by_uuid", ["uuid"]),

  // One document, which powersync_checkpoints.ts writes.
  powersync_checkpoints: defineTable({ last_updated: v.float64() }),

  // Results of uploads, which powersync.ts keeps.
  powersync_results: defineTable({
    key: v.string(),
    hash: v.string(),
    client: v.string(),
    conflicts: v.array(v.object({ operation_index: v.float64(), column: v.string() })),
  })
    .index("by_key", ["key"])
    .index("by_client", ["client"]),
});
