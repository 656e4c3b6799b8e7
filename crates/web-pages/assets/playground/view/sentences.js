// Writes of the upload queue, as sentences: “Set “Milk” to done”.

/** The newest rows of the queue that are shown, with what was downloaded of their rows. */
export const QUEUE = `SELECT CAST(id AS TEXT) AS entry, CAST(tx_id AS TEXT) AS tx, data,
  (SELECT o.data FROM ps_oplog o WHERE o.row_type = c.data ->> 'type' AND o.row_id = c.data ->> 'id' ORDER BY op_id DESC LIMIT 1) AS synced
  FROM ps_crud c ORDER BY id LIMIT ?`;

/** The same of what the service has refused. */
export const REJECTED = `SELECT CAST(transaction_id AS TEXT) AS tx, CAST(entry_id AS TEXT) AS entry, code, message,
  json_object('op', op, 'type', type, 'id', id, 'data', json(data)) AS data,
  (SELECT o.data FROM ps_oplog o WHERE o.row_type = r.type AND o.row_id = r.id ORDER BY op_id DESC LIMIT 1) AS synced
  FROM powersync_rejected r ORDER BY transaction_id, entry_id LIMIT ?`;

/** How many entries of one transaction are named. */
const NAMED = 3;

/**
 * The transactions that rows of one of these queries belong to.
 *
 * @param {{tx: string, entry: string, data: string, synced: string | null, code?: string, message?: string}[]} rows
 * @param {Map<string, string>} names of rows, by type and id, where the app knows them
 * @param {boolean} isTodoApp
 */
export function transactions(rows, names, isTodoApp) {
  const earlier = new Map(); // names that the queue itself has given
  const found = new Map();
  for (const row of rows) {
    const entry = JSON.parse(row.data);
    entry.data ??= {};
    const before = { ...JSON.parse(row.synced ?? '{}') };
    const sentence = isTodoApp ? todoSentence(entry, before, earlier, names) : rowSentence(entry);
    const id = row.tx ?? `-${row.entry}`;
    if (!found.has(id)) found.set(id, { id, entries: [], code: row.code, message: row.message });
    found.get(id).entries.push({ ...entry, sentence });
  }
  return [...found.values()].map(({ entries, ...rest }) => ({ ...rest, text: joined(entries) }));
}

function joined(entries) {
  const list = entries.find(({ op, type }) => op === 'DELETE' && type === 'lists');
  const others = entries.length - 1;
  // The items of a list go with it.
  if (list && others > 0) return `${list.sentence} and its ${others === 1 ? 'item' : `${others} items`}`;
  const named = entries.slice(0, NAMED).map(({ sentence }) => sentence);
  return entries.length > NAMED ? `${named.join(', ')} and ${entries.length - NAMED} more` : named.join(', ');
}

function todoSentence({ op, type, id, data }, synced, earlier, names) {
  const [column, what] = type === 'lists' ? ['name', 'list '] : ['description', ''];
  const key = `${type}/${id}`;
  const before = earlier.get(key) ?? synced[column];
  const name = `${what}“${before ?? names.get(key) ?? 'without a name'}”`;
  const given = data[column];
  if (given !== undefined) earlier.set(key, given);
  if (op === 'PUT') return `Added ${given === undefined ? name : `${what}“${given}”`}`;
  if (op === 'DELETE') return `Deleted ${name}`;
  if (given !== undefined) return renamed(what, before, given);
  if ('done' in data) return `Set ${name} to ${Number(data.done) ? 'done' : 'not done'}`;
  return `Changed ${name}`;
}

function renamed(what, earlier, later) {
  return earlier === undefined || earlier === later ? `Renamed ${what}to “${later}”` : `Renamed ${what}“${earlier}” to “${later}”`;
}

function rowSentence({ op, type, id, data }) {
  if (op === 'PUT') return `Added row ${id} to ${type}`;
  if (op === 'DELETE') return `Deleted row ${id} of ${type}`;
  return `Changed ${Object.keys(data).join(' and ')} of row ${id} in ${type}`;
}
