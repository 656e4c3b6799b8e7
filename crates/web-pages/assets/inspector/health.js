// @ts-check
// What is wrong with the service, in words, and what to do about it.

/** @typedef {{ tone: 'bad' | 'warn' | 'info', title: string, text: string, remedy: string }} Finding */

/** @type {Record<string, (problem: any) => Finding>} */
const PROBLEMS = {
  evaluation: ({ subject, count, reason }) => ({
    tone: 'warn',
    title: `Rows are kept out of ${subject}`,
    text: `Evaluating them has failed ${times(count)}: ${reason}.`,
    remedy: 'Correct the rows, or the query of the stream so that it can deal with them.',
  }),
  no_id: ({ subject, count }) => ({
    tone: 'warn',
    title: `Rows without an id are kept out of ${subject}`,
    text: `This has happened ${times(count)}. Clients know rows by their column id, which must be a text or a number.`,
    remedy: 'Select a column AS id in the query, or give the rows an id.',
  }),
  too_large: ({ subject, count }) => ({
    tone: 'warn',
    title: `Rows that are too large are kept out of ${subject}`,
    text: `This has happened ${times(count)}. A row may have 15 MiB as JSON.`,
    remedy: 'Select fewer columns, or store large values elsewhere.',
  }),
  collision: ({ subject, count }) => ({
    tone: 'warn',
    title: `Rows of ${subject} collide`,
    text: `Two rows of the source have the same table and id on the client (${times(count)}).`,
    remedy: 'Give them different ids in the query, for instance with a prefix.',
  }),
};

/** @param {number} count */
function times(count) {
  return count === 1 ? 'once' : `${count.toLocaleString('en')} times`;
}

/**
 * @param {import('./store.js').Store} store
 * @param {any[]} [checks] of the source's setup
 * @returns {Finding[]}
 */
export function findings({ status, error }, checks = []) {
  /** @type {Finding[]} */
  const found = [];
  const add = (/** @type {Finding['tone']} */ tone, /** @type {string} */ title, /** @type {string} */ text, remedy = '') => found.push({ tone, title, text, remedy });
  if (error) add('bad', 'The service does not answer', error.description ?? error.message, 'Look at its log.');
  if (!status) return found;
  if (status.storage.error) add('bad', 'The storage cannot be used', status.storage.error, 'Clients wait, and go on by themselves when it is back.');
  if (status.source.error) add('bad', 'The source cannot be read', status.source.error, 'Clients keep what they have, and get no changes meanwhile.');
  if (status.config.error) add('bad', 'The newest configuration could not be built', status.config.error, 'The one before stays active. Correct it under Configuration, and deploy it again.');
  if (status.config.state === 'none') add('bad', 'No configuration is active', 'Clients cannot connect.', 'Deploy one under Configuration.');
  if (status.config.state === 'building') add('info', 'The first configuration is being built', 'Clients can connect when it is ready.');
  const { lag_seconds: lag } = status.source;
  if (lag > 10) add('warn', 'Changes of the source arrive late', `The newest checkpoint is ${Math.round(lag)} s behind.`, 'Wait for a large transaction to end; otherwise look at the load of the machine.');
  if (status.process?.writer && !status.process.writer.is_alive) add('bad', 'No process writes', 'Nothing new arrives from the source.', 'Start a process with the role all or writer.');
  for (const problem of status.problems) found.push(PROBLEMS[problem.problem]?.(problem) ?? { tone: 'warn', title: problem.subject, text: problem.reason, remedy: '' });
  for (const { ok, message, fix } of checks) if (!ok) add('warn', 'The source is not set up as it must be', message, fix);
  return found;
}
