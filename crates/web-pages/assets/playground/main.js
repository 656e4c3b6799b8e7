// The playground: a phone and a laptop, each a client of its own, and the service between them.
import { Hub } from './view/hub.js';
import { el, setText } from './view/dom.js';
import { Pane } from './view/pane.js';
import { RemoteDevice } from './view/remote.js';

const DEVICES = [
  { kind: 'phone', name: 'Phone' },
  { kind: 'laptop', name: 'Laptop' }
];

const page = (id) => document.getElementById(id);

/** The users of the service, as it names them. */
async function users() {
  // Not from or into the browser's store: at the same address there is this page.
  const answer = await fetch('/', { headers: { accept: 'application/json' }, cache: 'no-store' }).catch(() => null);
  const named = answer?.ok ? (await answer.json()).users : [];
  return named.length > 0 ? named : ['alice', 'bob'];
}

/** Asks before something is lost. */
function confirm(question, action) {
  const dialog = page('question');
  setText(page('question-text'), question);
  setText(page('question-yes'), action);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
    dialog.returnValue = '';
  });
}

/** Why this browser cannot show it; null if it can. */
function obstacle() {
  if (!navigator.locks || !globalThis.BroadcastChannel) return 'Open this page as localhost or 127.0.0.1: browsers give other addresses no files and no locks.';
  return null;
}

async function resetEverything(panes) {
  const note = page('note');
  note.hidden = true;
  const answer = await fetch('/dev/reset', { method: 'POST' }).catch((error) => error);
  if (!answer.ok) {
    const why = answer instanceof Response ? (await answer.json().catch(() => null))?.error?.description : 'The service does not answer.';
    setText(note, `The data of the service were not reset. ${why ?? answer.status}`);
    note.hidden = false;
  }
  await Promise.all(panes.map((pane) => pane.resetDevice({ isOnline: true })));
}

function start() {
  const why = obstacle();
  if (why) {
    setText(page('note'), why);
    page('note').hidden = false;
    return;
  }
  const devices = DEVICES.map((one) => ({ ...one, device: new RemoteDevice(one.kind) }));
  const panes = devices.map(({ device, ...options }) => new Pane(device, { ...options, confirm }));
  page('devices').prepend(panes[0].element);
  page('devices').append(panes[1].element);
  new Hub(page('hub'), devices);
  users().then((names) => panes.forEach((pane) => pane.offerUsers(names)));
  const reset = page('reset');
  reset.addEventListener('click', async () => {
    reset.disabled = true;
    await resetEverything(panes);
    reset.disabled = false;
  });
}

page('question').append(
  el('form', { method: 'dialog' },
    el('p', { id: 'question-text' }),
    el('div', { class: 'row' },
      el('button', { value: 'no' }, 'Cancel'),
      el('button', { id: 'question-yes', class: 'danger', value: 'yes' })))
);
start();
