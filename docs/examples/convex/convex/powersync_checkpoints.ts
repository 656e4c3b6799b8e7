// Moves the deployment's timestamp, so that a client soon knows that its own write has come back. The sync service calls it
// with the deploy key; clients cannot. It needs this table in schema.ts:
//
//   powersync_checkpoints: defineTable({ last_updated: v.float64() }),

import { internalMutationGeneric as internalMutation } from "convex/server";

export const createCheckpoint = internalMutation({
  args: {},
  handler: async ({ db }) => {
    const known = await db.query("powersync_checkpoints").first();
    const fields = { last_updated: Date.now() };
    if (known) await db.patch(known._id, fields);
    else await db.insert("powersync_checkpoints", fields);
    return null;
  },
});
