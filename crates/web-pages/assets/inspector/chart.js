// @ts-check
// A small chart of one number over the last minutes.
import { h, setText, svg } from './dom.js';

const [WIDTH, HEIGHT] = [240, 56];
/** Seconds from the left to the right edge: at first few, so that the first minutes can be seen, too. */
const [SHORTEST, LONGEST] = [30, 300];

/** @typedef {{ at: number, value: number }} Point */

export class Chart {
  /** @type {Point[]} */
  #points = [];

  /**
   * @param {{ label: string, unit: string, format: (value: number) => string }} options
   */
  constructor({ label, unit, format }) {
    this.label = label;
    this.unit = unit;
    this.format = format;
    this.area = svg('path', { class: 'area' });
    this.line = svg('path', { class: 'line' });
    this.mark = svg('path', { class: 'mark' });
    this.picture = svg(
      'svg',
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
      svg('path', { class: 'base', d: `M0 ${HEIGHT - 0.5}H${WIDTH}` }),
      this.area,
      this.line,
      this.mark,
    );
    this.picture.addEventListener('pointermove', (/** @type {PointerEvent} */ event) => this.#point(event));
    this.picture.addEventListener('pointerleave', () => this.#rest());
    this.value = h('strong', { class: 'chart-value' }, '–');
    this.note = h('span', { class: 'muted small chart-note' }, ' ');
    this.element = h(
      'figure',
      { class: 'card chart' },
      h('figcaption', {}, h('span', { class: 'muted small' }, label), h('span', {}, this.value, ' ', h('span', { class: 'muted small' }, unit))),
      this.picture,
      this.note,
    );
  }

  /** @param {Point[]} points */
  draw(points) {
    this.#points = points;
    const largest = Math.max(...points.map(({ value }) => value), 0);
    const top = largest > 0 ? largest * 1.1 : 1;
    const places = points.map((point) => `${this.#x(point).toFixed(1)} ${(HEIGHT - 1 - (point.value / top) * (HEIGHT - 4)).toFixed(1)}`);
    this.line.setAttribute('d', places.length > 1 ? `M${places.join('L')}` : '');
    const [first, last] = [points[0], points.at(-1)];
    this.area.setAttribute('d', places.length > 1 && first && last ? `M${this.#x(first).toFixed(1)} ${HEIGHT}L${places.join('L')}L${this.#x(last).toFixed(1)} ${HEIGHT}Z` : '');
    this.largest = largest;
    if (!this.mark.hasAttribute('d')) this.#rest();
    const newest = last ? `${this.format(last.value)} ${this.unit}` : 'nothing is known yet';
    this.picture.setAttribute('aria-label', `${this.label}: ${newest} now, at most ${this.format(largest)} in the last minutes`);
  }

  /** @param {Point} point */
  #x(point) {
    const [oldest, newest] = [this.#points[0]?.at ?? point.at, this.#points.at(-1)?.at ?? point.at];
    const span = Math.min(Math.max(newest - oldest, SHORTEST), LONGEST);
    return WIDTH - ((newest - point.at) / span) * WIDTH;
  }

  #rest() {
    this.mark.removeAttribute('d');
    const last = this.#points.at(-1);
    setText(this.value, last ? this.format(last.value) : '–');
    setText(this.note, this.largest ? `at most ${this.format(this.largest)}` : 'nothing so far');
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const { left, width } = this.picture.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * WIDTH;
    const distance = (/** @type {Point} */ point) => Math.abs(this.#x(point) - x);
    const nearest = this.#points.reduce((best, point) => (best && distance(best) <= distance(point) ? best : point), /** @type {Point | null} */ (null));
    if (nearest === null) return;
    this.mark.setAttribute('d', `M${this.#x(nearest).toFixed(1)} 0V${HEIGHT}`);
    setText(this.value, this.format(nearest.value));
    setText(this.note, `${Math.round((this.#points.at(-1)?.at ?? nearest.at) - nearest.at)} s ago`);
  }
}
