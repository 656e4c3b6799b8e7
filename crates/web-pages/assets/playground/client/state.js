// What a device shows of itself: how far it is, and what holds it back.

/** The priority that stands for a checkpoint as a whole. */
const EVERYTHING = 2147483647;

const GATE = `SELECT (SELECT count(*) FROM ps_crud) AS entries,
  (SELECT count(DISTINCT coalesce(tx_id, -id)) FROM ps_crud) AS transactions,
  (SELECT count(DISTINCT transaction_id) FROM powersync_rejected) AS rejected,
  (SELECT CAST(value AS INTEGER) FROM ps_kv WHERE key = 'target_checkpoint_request_id') AS target,
  (SELECT CAST(value AS INTEGER) FROM ps_kv WHERE key = 'last_seen_checkpoint_request_id') AS seen`;

/**
 * @typedef {object} Gate whether downloaded changes can be shown
 * @property {'open' | 'queued' | 'unknown' | 'unacknowledged'} state
 * @property {boolean} isHolding whether a checkpoint is there and waits
 */

/**
 * The part of the state that is in the database.
 *
 * @param {import('./database.js').Database} database
 * @param {boolean} isHolding
 */
export async function stored(database, isHolding) {
  const [{ entries, transactions, rejected, target, seen }] = await database.query(GATE);
  const state = gate(entries, target, seen);
  return { queue: { entries, transactions }, rejected, gate: { state, isHolding: isHolding && state !== 'open' } };
}

function gate(entries, target, seen) {
  if (entries > 0) return 'queued';
  if (target === null) return 'open';
  // The target is this large while no checkpoint is known that acknowledges the writes. JavaScript's numbers are not exact here.
  if (Number(target) >= Number.MAX_SAFE_INTEGER) return 'unknown';
  return Number(target) > Number(seen ?? 0) ? 'unacknowledged' : 'open';
}

/**
 * What the extension's status says.
 *
 * @param {any} status
 */
export function synced(status) {
  const { connected = false, connecting = false, priority_status: priorities = [], downloading = null } = status ?? {};
  const full = priorities.find(({ priority }) => priority === EVERYTHING);
  return {
    connected,
    connecting,
    // Times are in microseconds.
    lastSyncedAt: full ? full.last_synced_at / 1000 : null,
    hasRows: priorities.length > 0,
    progress: downloading && progress(Object.values(downloading.buckets))
  };
}

function progress(priorities) {
  const sum = (member) => priorities.reduce((total, priority) => total + priority[member], 0);
  return { done: sum('since_last'), total: sum('target_count') };
}
