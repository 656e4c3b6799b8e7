// @ts-check
// Overview: is everything well, and the last minutes as charts.
import { Chart } from '../chart.js';
import { fill, h, pill } from '../dom.js';
import { bytes, count, number, rate, seconds, time } from '../format.js';
import { findings } from '../health.js';

/** The setup of the source is looked at again after so many milliseconds. */
const CHECKED_AGAIN = 30_000;

/**
 * @param {HTMLElement} element
 * @param {import("../main.js").App} app
 * @returns {import("../main.js").Section}
 */
export function overview(element, { api, store, say }) {
  /** @type {any} */
  let setup = null;
  let checkedAt = -Infinity;
  let seen = '';
  const state = h('div', { class: 'card health' });
  const tiles = new Tiles();
  const charts = {
    commits: new Chart({ label: 'Commits', unit: 'per second', format: rate }),
    written: new Chart({ label: 'Operations written', unit: 'per second', format: rate }),
    sent: new Chart({ label: 'Operations sent to clients', unit: 'per second', format: rate }),
    bytes: new Chart({ label: 'Sent to clients', unit: 'per second', format: bytes }),
    clients: new Chart({ label: 'Connected clients', unit: '', format: number }),
    lag: new Chart({ label: 'Behind the source', unit: '', format: seconds }),
  };
  element.append(state, h('h2', {}, 'State'), tiles.element, h('h2', {}, 'Last 5 minutes'), h('div', { class: 'charts' }, Object.values(charts).map((chart) => chart.element)));

  const check = async () => {
    if (performance.now() - checkedAt < CHECKED_AGAIN) return;
    checkedAt = performance.now();
    setup = await api.ask('/api/admin/v1/diagnostics', { body: {} }).catch(() => setup);
    update();
  };

  function update() {
    const found = findings(store, setup?.connections[0].checks);
    const mark = JSON.stringify(found);
    if (mark !== seen) {
      seen = mark;
      fill(state, health(found));
      say(found.length === 0 ? 'Everything is well.' : `${count(found.length, 'finding')}.`);
    }
    draw(tiles, store, setup);
    for (const name of /** @type {const} */ (['commits', 'written', 'sent', 'bytes'])) charts[name].draw(store.rates(name));
    for (const name of /** @type {const} */ (['clients', 'lag'])) charts[name].draw(store.values(name));
    check();
  }
  return { update };
}

/** @param {import('../health.js').Finding[]} found */
function health(found) {
  if (found.length === 0) return h('p', { class: 'row' }, pill('good', 'Everything is well'), h('span', { class: 'muted' }, 'Clients can sync, and the source is followed.'));
  return h(
    'ul',
    { class: 'findings' },
    found.map(({ tone, title, text, remedy }) =>
      h('li', {}, pill(tone, { bad: 'Broken', warn: 'Look at this', info: 'Under way' }[tone]), h('div', {}, h('strong', {}, title), h('p', {}, text), remedy && h('p', { class: 'remedy' }, remedy))),
    ),
  );
}

/** What one of several processes does. @type {Record<string, string>} */
const ROLES = { writing: 'writes the storage', following: 'serves clients', standby: 'ready to write' };

/** Small cards with a value and a note, which are drawn again when what they show has changed. */
class Tiles {
  /** @type {Map<string, { value: HTMLElement, note: HTMLElement, mark: string }>} */
  #known = new Map();
  element = h('div', { class: 'tiles' });

  /**
   * @param {string} label
   * @param {string} mark changes when the rest does
   * @param {() => { value: any, note: any, href: string }} content
   */
  tile(label, mark, content) {
    const before = this.#known.get(label);
    if (before?.mark === mark) return;
    const { value, note, href } = content();
    if (before) {
      fill(before.value, value);
      fill(before.note, note);
      before.mark = mark;
      return;
    }
    const parts = { value: h('p', { class: 'tile-value' }, value), note: h('p', { class: 'small muted' }, note), mark };
    this.#known.set(label, parts);
    this.element.append(h('section', { class: 'card tile' }, h('h3', { class: 'small' }, href ? h('a', { href: `/inspect#${href}` }, label) : label), parts.value, parts.note));
  }
}

/**
 * @param {Tiles} tiles
 * @param {import('../store.js').Store} store
 * @param {any} setup
 */
function draw(tiles, { status, about }, setup) {
  const { config, checkpoint, source, storage, process } = status;
  const connection = setup?.connections[0];
  tiles.tile('Configuration', JSON.stringify(config), () => ({
    value: config.building ? pill('info', 'being built') : config.state === 'active' ? pill('good', 'active') : pill('bad', 'none'),
    note: config.building ? `${count(config.building.rows_read, 'row')} read, ${count(config.building.tables_left, 'table')} left` : config.id === null ? 'Deploy one.' : [`Number ${config.id}`, about?.config && fileName(about.config)].filter(Boolean).join(', '),
    href: 'config',
  }));
  tiles.tile('Newest checkpoint', JSON.stringify(checkpoint), () => ({
    value: checkpoint ? number(Number(checkpoint.op_id)) : '–',
    note: checkpoint ? ['made ', time(checkpoint.time)] : 'There is none yet.',
    href: 'buckets',
  }));
  tiles.tile('Source', JSON.stringify([source, connection?.kind, connection?.location]), () => ({
    value: source.error ? pill('bad', 'cannot be read') : pill('good', source.lag_seconds === null ? 'followed' : source.lag_seconds < 1 ? 'up to date' : `${seconds(source.lag_seconds)} behind`),
    note: connection ? h('span', { title: connection.location }, [kind(connection.kind), connection.location && fileName(connection.location)].filter(Boolean).join(', ')) : ' ',
    href: 'source',
  }));
  tiles.tile('Storage', JSON.stringify(storage), () => ({
    value: storage.error ? pill('bad', 'cannot be used') : bytes(storage.bytes),
    note: storage.bytes === null ? 'in memory, or not known' : 'on disk',
    href: 'buckets',
  }));
  if (!process) return;
  tiles.tile('This process', JSON.stringify(process), () => ({
    value: pill(process.state === 'writing' ? 'good' : 'info', ROLES[process.state] ?? process.state),
    note: `Role ${process.role}. Clients, uploads and sent bytes are those of this process alone.`,
    href: '',
  }));
}

/** @param {string} name */
function kind(name) {
  /** @type {Record<string, string>} */
  const names = { sqlite: 'SQLite', postgres: 'PostgreSQL', convex: 'Convex', json: 'JSON folder', memory: 'in memory' };
  return names[name] ?? name;
}

/** @param {string} path */
function fileName(path) {
  return path.split(/[\\/]/).at(-1) ?? path;
}

