// The example's page: opens the database, gives it the lines of a recorded sync, writes a row, and shows what is in it.
import { Database } from './database.js';
import { keep, load } from './storage.js';

const element = (id) => document.getElementById(id);
const session = await (await fetch('session.json')).json();
const kept = await load();
const database = await Database.open(kept);
database.transaction(() => database.run('SELECT powersync_replace_schema(?)', [JSON.stringify(session.schema)]));

function show() {
  const cells = (values) => {
    const row = document.createElement('tr');
    for (const value of values) row.insertCell().textContent = value;
    return row;
  };
  element('lists').replaceChildren(...database.run('SELECT id, name FROM lists ORDER BY name').map(cells));
  element('queue').replaceChildren(...database.run('SELECT id, data FROM ps_crud ORDER BY id').map(cells));
}

function log(text) {
  element('log').textContent += `${text}\n`;
}

/** Keeps the database; says so when it is safe. */
async function save() {
  const bytes = database.save();
  await keep(bytes);
  element('state').textContent = `${bytes.length} bytes kept in the browser`;
}

/** Gives the client one event, and shows what it is to do about it. */
function control(operation, payload = null) {
  const [[instructions]] = database.transaction(() =>
    database.run('SELECT powersync_control(?, ?)', [operation, payload]),
  );
  log(`> ${operation} ${payload ?? ''}`);
  for (const instruction of JSON.parse(instructions)) log(`  ${JSON.stringify(instruction)}`);
}

element('sync').addEventListener('click', async () => {
  for (const step of session.steps) {
    if (step.control) control(step.control);
    if (step.line) control('line_text', JSON.stringify(step.line));
  }
  show();
  await save();
});

element('add').addEventListener('submit', async (event) => {
  event.preventDefault();
  database.run('INSERT INTO lists (id, name) VALUES (uuid(), ?)', [element('name').value]);
  show();
  await save();
});

show();
log(`PowerSync ${database.run('SELECT powersync_rs_version()')}, SQLite ${database.run('SELECT sqlite_version()')}`);
element('state').textContent = kept ? `${kept.length} bytes found in the browser` : 'a new database';
