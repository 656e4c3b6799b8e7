// @ts-check
// Starts the inspector: one section at a time, chosen by the fragment of the address, and the way in.
import { Api } from './api.js';
import { h, icon, setText } from './dom.js';
import { refreshTimes } from './format.js';
import { Gate } from './gate.js';
import { findings } from './health.js';
import { Store } from './store.js';
import { buckets } from './sections/buckets.js';
import { clients } from './sections/clients.js';
import { config } from './sections/config.js';
import { faults } from './sections/faults.js';
import { overview } from './sections/overview.js';
import { preview } from './sections/preview.js';
import { source } from './sections/source.js';
import { writes } from './sections/writes.js';

/**
 * What sections use.
 * @typedef {{ api: Api, store: Store, say: (text: string) => void }} App
 *
 * A section that is mounted: `show` is called when it is shown or its place has changed, `update` when there is a new status while
 * it is shown.
 * @typedef {{ show?: (place: string[]) => void, update?: () => void }} Section
 */

/** @type {Record<string, { label: string, mount: (element: HTMLElement, app: App) => Section }>} */
const SECTIONS = {
  overview: { label: 'Overview', mount: overview },
  source: { label: 'Source', mount: source },
  buckets: { label: 'Streams and buckets', mount: buckets },
  clients: { label: 'Clients', mount: clients },
  preview: { label: 'What a user gets', mount: preview },
  writes: { label: 'Writes', mount: writes },
  config: { label: 'Configuration', mount: config },
  faults: { label: 'Faults', mount: faults },
};

const element = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

class Inspector {
  #current = '';
  /** @type {string[]} */
  #lastPlace = [];
  /** @type {Record<string, Section>} */
  #mounted = {};
  /** @type {Record<string, { link: HTMLElement, badge: HTMLElement }>} */
  #links = {};

  constructor() {
    this.gate = new Gate(element('gate'), (isOpen) => this.#open(isOpen));
    this.api = new Api((refusal, isFirst) => this.gate.ask(refusal, isFirst));
    this.store = new Store(this.api);
    /** @type {App} */
    this.app = { api: this.api, store: this.store, say: (text) => setText(element('said'), text) };
    this.#side();
    addEventListener('hashchange', () => this.#route());
    this.store.listen(() => this.#update());
  }

  start() {
    this.#route();
    this.store.refresh();
    setInterval(refreshTimes, 5000);
  }

  #side() {
    const links = Object.entries(SECTIONS).map(([name, { label }]) => {
      const badge = h('span', { class: 'badge', hidden: true });
      const link = h('a', { href: `#${name}`, 'data-section': name }, icon(name), h('span', {}, label), badge);
      this.#links[name] = { link, badge };
      return h('li', {}, link);
    });
    this.foot = h('div', { class: 'side-foot small muted' });
    element('side').append(h('ul', {}, links), this.foot);
    // Only a service for development has them.
    this.#links.faults.link.parentElement?.toggleAttribute('hidden', true);
  }

  /** The section of the address, and the place within it. */
  #place() {
    const [name, ...place] = location.hash.slice(1).split('/').map(decode);
    if (name in SECTIONS) return { name, place };
    // The link that skips to the content leads to no section.
    return { name: this.#current || 'overview', place: this.#lastPlace };
  }

  #route() {
    const { name, place } = this.#place();
    this.#lastPlace = place;
    const isOther = name !== this.#current;
    this.#current = name;
    for (const [other, { link }] of Object.entries(this.#links)) {
      if (other === name) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    document.title = `${SECTIONS[name].label} · Inspector · rowtide`;
    // Unlike `scrollIntoView`, this leaves alone where Tab goes on.
    const [row, { link }] = [element('side'), this.#links[name]];
    row.scrollLeft = link.offsetLeft - (row.clientWidth - link.offsetWidth) / 2;
    this.#open(!this.gate.isAsking);
    if (this.store.status === null) return;
    this.#mounted[name] ??= SECTIONS[name].mount(element(name), this.app);
    this.#mounted[name].show?.(place);
    this.#mounted[name].update?.();
    if (isOther) scrollTo(0, 0);
  }

  /** @param {boolean} isOpen whether sections are shown, or the gate */
  #open(isOpen) {
    for (const name of Object.keys(SECTIONS)) element(name).hidden = !isOpen || name !== this.#current;
  }

  #update() {
    const { status, error } = this.store;
    const trouble = element('trouble');
    trouble.hidden = error === null;
    if (error !== null) setText(trouble, error.description ?? error.message);
    if (status === null) return;
    this.#links.faults.link.parentElement?.toggleAttribute('hidden', !status.development);
    this.#badge('overview', findings(this.store).filter(({ tone }) => tone !== 'info').length, 'warn');
    this.#badge('clients', status.clients.length, '');
    this.#badge('config', status.config.building ? '…' : 0, 'info');
    this.#footer(status);
    if (this.#mounted[this.#current] === undefined) this.#route();
    else this.#mounted[this.#current].update?.();
  }

  /**
   * @param {string} name
   * @param {number | string} value
   * @param {string} tone
   */
  #badge(name, value, tone) {
    const { badge } = this.#links[name];
    badge.hidden = value === 0;
    badge.className = `badge ${tone}`.trim();
    setText(badge, String(value));
  }

  /** @param {any} status */
  #footer(status) {
    if (this.foot.childElementCount > 0) return;
    const kind = status.development ? 'rowtide dev' : 'rowtide serve';
    const forget = h('button', { class: 'quiet small', type: 'button', onclick: () => this.#forget() }, 'Forget the admin token');
    this.foot.append(h('p', {}, `${kind} ${status.version}`), this.api.hasToken ? forget : '');
  }

  #forget() {
    this.api.forget();
    location.reload();
  }
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

new Inspector().start();
