// @ts-check
// Faults (development only): what can go wrong between clients and the service, at the press of a button.
import { failure, fill, h } from '../dom.js';
import { count } from '../format.js';

/** Those that stay until they are switched off. */
const STATES = {
  offline: ['Offline', 'Streams are cut, and requests of clients get no answer. Clients keep working with what they have, queue their writes, and try to connect again with growing pauses.'],
  slow: ['Slow network', 'About 2 kB/s for each stream, and 2 s until other requests are answered. Clients show urgent streams first, and stay usable while the rest arrives.'],
  uploads_fail: ['Uploads fail', 'Uploads are answered with 500. Clients keep the writes in their queue, show them locally, and try again.'],
  checkpoints_delayed: ['Checkpoints are delayed', 'Nothing new is published until this is switched off. Clients see no changes of others, and show their own writes.'],
};

/** Those that happen once. */
const ONCE = {
  cut: ['Cut streams in the middle of a line', 'Clients throw the half line away, connect again, and go on where they were.'],
  expire: ['Let tokens expire', 'Clients are told, fetch new tokens and connect again. The app notices nothing.'],
  checksum: ['Send a wrong checksum', 'Clients find it, delete the bucket, and download it again. What they show stays meanwhile.'],
  compact: ['Compact now', 'Operations that were replaced become MOVE and CLEAR. Clients that are up to date notice nothing; new ones download less.'],
  redeploy: ['Deploy again', 'The active configuration is built as if it were new. Clients get the new buckets, and keep showing their rows until those are there.'],
};

/**
 * @param {HTMLElement} element
 * @param {import('../main.js').App} app
 * @returns {import('../main.js').Section}
 */
export function faults(element, { api, store, say }) {
  const problem = h('div');
  /** @type {Record<string, HTMLInputElement>} */
  const boxes = {};
  const turn = async (/** @type {string} */ name) => {
    try {
      apply(await api.ask('/dev/faults', { body: { [name]: boxes[name].checked } }));
      say(`${STATES[/** @type {keyof typeof STATES} */ (name)][0]}: ${boxes[name].checked ? 'on' : 'off'}.`);
    } catch (error) {
      boxes[name].checked = !boxes[name].checked;
      fill(problem, failure(/** @type {any} */ (error)));
    }
  };
  const states = Object.entries(STATES).map(([name, [label, text]]) => {
    boxes[name] = h('input', { type: 'checkbox', role: 'switch', 'aria-describedby': `about-${name}`, onchange: () => turn(name) });
    return h('li', { class: 'fault' }, h('label', { class: 'switch' }, boxes[name], label), h('p', { class: 'small muted', id: `about-${name}` }, text));
  });
  const once = Object.entries(ONCE).map(([name, [label, text]]) => {
    const done = h('span', { class: 'small muted', role: 'status' });
    const run = async () => {
      button.disabled = true;
      try {
        const { streams } = await api.ask('/dev/faults/now', { body: { fault: name } });
        fill(done, ['compact', 'redeploy'].includes(name) ? 'Done.' : streams === 0 ? 'No stream is open, so nobody noticed.' : `Done, to ${count(streams, 'stream')}.`);
        fill(problem);
      } catch (error) {
        fill(problem, failure(/** @type {any} */ (error)));
      }
      button.disabled = false;
    };
    const button = h('button', { type: 'button', 'aria-describedby': `about-${name}`, onclick: run }, label);
    return h('li', { class: 'fault' }, h('div', { class: 'row' }, button, done), h('p', { class: 'small muted', id: `about-${name}` }, text));
  });
  const all = h('button', { type: 'button', class: 'push', onclick: () => off() }, 'Switch all off');
  const off = async () => {
    try {
      apply(await api.ask('/dev/faults', { body: Object.fromEntries(Object.keys(STATES).map((name) => [name, false])) }));
      say('All faults are off.');
    } catch (error) {
      fill(problem, failure(/** @type {any} */ (error)));
    }
  };
  const lists = h('div', { class: 'stack' }, h('section', { class: 'card' }, h('header', {}, h('h2', {}, 'Until they are switched off'), all), h('ul', { class: 'body fault-list' }, states)), h('section', { class: 'card' }, h('header', {}, h('h2', {}, 'Once')), h('ul', { class: 'body fault-list' }, once)));
  const intro = h('p', { class: 'muted' }, 'Try what your app does when something goes wrong. Only clients are affected; this page is not.');
  element.append(intro, problem, lists);

  /** @param {Record<string, boolean>} state */
  function apply(state) {
    for (const [name, box] of Object.entries(boxes)) box.checked = state[name] === true;
    fill(problem);
  }
  const show = async () => {
    lists.hidden = !store.status.development;
    if (!store.status.development) return fill(problem, h('p', { class: 'note' }, 'Faults can be tried with rowtide dev only. This service is a real one.'));
    try {
      apply(await api.ask('/dev/faults'));
    } catch (error) {
      fill(problem, failure(/** @type {any} */ (error)));
    }
  };
  return { show };
}
