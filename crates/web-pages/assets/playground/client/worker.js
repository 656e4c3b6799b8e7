// The worker of a device. Each tab has one, and one of them leads: it opens the database, syncs, and answers to the pages of all
// tabs. The others wait until it is gone.
import { Database, deleteDatabase } from './database.js';
import { Device } from './device.js';

const name = new URL(location.href).searchParams.get('device');
const file = `rowtide-${name}.db`;
const id = crypto.randomUUID();
const channel = new BroadcastChannel(`rowtide ${name}`);

/** What is used to be told of the end of a worker: the browser releases its locks however it ends. */
const ALIVE = `rowtide ${name} ${id}`;

const never = new Promise(() => {});

function post(message) {
  channel.postMessage(message);
}

/** Ends this worker; its page starts another one. */
function end() {
  channel.close();
  self.close();
}

/** What was asked for lately. Pages that learn of a new leader ask it again for what may not have reached it. */
const asked = new Set();

/** How many of them are remembered. */
const REMEMBERED = 1000;

/** Answers to what pages ask for. What fails is said to the one that asked. */
function answer(commands) {
  channel.onmessage = async ({ data: { to, from, number, command, parameters } }) => {
    if (to !== 'leader' || asked.has(`${from} ${number}`)) return;
    asked.add(`${from} ${number}`);
    if (asked.size > REMEMBERED) asked.delete(asked.values().next().value);
    try {
      const result = await commands[command](parameters);
      post({ to: from, number, result });
    } catch (error) {
      post({ to: from, number, error: error.message });
      if (error instanceof WebAssembly.RuntimeError) end();
    }
  };
  post({ type: 'leader' });
}

/** The database does not open. People can read why, and delete it. */
function fail(error) {
  const state = { failure: error.message };
  answer({
    hello: async () => {
      post({ type: 'state', state });
      return [];
    },
    reset: async () => {
      await deleteDatabase(file);
      setTimeout(end); // after the answer
    }
  });
  post({ type: 'state', state });
}

async function lead() {
  try {
    const device = new Device(await Database.open(file), post);
    await device.start();
    answer(device.commands);
    post({ type: 'state', state: device.state });
  } catch (error) {
    fail(error);
  }
  return never;
}

await new Promise((held) => navigator.locks.request(ALIVE, () => (held(), never)));
self.postMessage({ alive: ALIVE });
navigator.locks.request(`rowtide ${name} leader`, lead);
