// What a device's state means, in words and with a tone: how well it is.
import { counted } from '../../common.js';

/**
 * @typedef {{tone: '' | 'good' | 'warn' | 'bad' | 'info', word: string, text: string, nextAttemptAt?: number | null}} Words
 */

export { counted };

const number = new Intl.NumberFormat('en');

/** @returns {Words} */
export function connection(state, isBroken) {
  if (isBroken && state === null) return { tone: 'bad', word: 'Not working', text: 'See below.' };
  if (state === null) return { tone: '', word: 'Starting', text: 'Opening its database in this browser' };
  if (state.failure) return { tone: 'bad', word: 'Not working', text: state.failure };
  const { error, isFull, nextAttemptAt } = state.connection;
  if (isFull) return { tone: 'bad', word: 'Storage full', text: error, nextAttemptAt };
  if (!state.isOnline) return { tone: '', word: 'Offline', text: 'Everything here still works.' };
  if (error) return { tone: 'warn', word: 'No connection', text: error, nextAttemptAt };
  if (state.connected) return transfer(state);
  return { tone: 'info', word: 'Connecting', text: 'Asking the service for what is new' };
}

/** What is transferred while the service answers. */
function transfer({ progress, lastSyncedAt, queue, upload, gate: { state } }) {
  if (progress && progress.done < progress.total) {
    const text = `${number.format(progress.done)} of ${counted(progress.total, 'change')}`;
    return { tone: 'info', word: 'Downloading', text };
  }
  if (upload.blockedBy) return { tone: 'bad', word: 'Upload waits for you', text: 'See below.' };
  if (upload.error) return { tone: 'warn', word: 'Upload fails', text: upload.error, nextAttemptAt: upload.nextAttemptAt };
  if (queue.entries > 0) return { tone: 'info', word: 'Uploading', text: counted(queue.entries, 'change') };
  if (lastSyncedAt === null) return { tone: 'info', word: 'Downloading', text: 'For the first time' };
  if (state !== 'open') return { tone: 'info', word: 'Uploaded', text: 'Not confirmed by the service yet' };
  return { tone: 'good', word: 'Up to date', text: `Last synced ${time(lastSyncedAt)}` };
}

/** @returns {Words} */
export function gate(state) {
  if (!state?.gate) return { tone: '', word: 'Gate', text: '' };
  const { state: name, isHolding } = state.gate;
  if (name === 'open') return { tone: 'good', word: 'Gate open', text: 'What others change is shown at once.' };
  const waiting = isHolding ? 'New data is here and waits' : 'New data waits';
  const reasons = {
    queued: `until your ${counted(state.queue.entries, 'change')} ${state.queue.entries === 1 ? 'is' : 'are'} uploaded.`,
    unknown: 'until the service has confirmed your upload.',
    unacknowledged: 'until what you uploaded has come back.'
  };
  return { tone: 'warn', word: 'Gate closed', text: `${waiting} ${reasons[name]}` };
}

/** Seconds until a moment, as a text that is right for the next second. */
export function until(moment) {
  return `Next try in ${Math.max(1, Math.ceil((moment - Date.now()) / 1000))} s`;
}

export function time(moment) {
  return new Date(moment).toLocaleTimeString('en-GB');
}
