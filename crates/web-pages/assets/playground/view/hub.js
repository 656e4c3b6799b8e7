// The service between the devices, with a line to each. Something runs along a line when it is used.
import { el } from './dom.js';

/** At most one runs along a line in so many ms. */
const INTERVAL = 180;

/** Only what carries data: lines of the stream, and uploads. */
const CARRIES = [/^\{"(checkpoint|data|partial)/, /^POST \/api\/data/];

export class Hub {
  constructor(element, devices) {
    this.element = element;
    for (const { device, kind } of devices) {
      const wire = el('span', { class: `wire to-${kind}`, 'aria-hidden': 'true' });
      element.append(wire);
      this.#follow(device, wire);
    }
  }

  #follow(device, wire) {
    let seen = 0;
    let last = 0;
    device.addEventListener('log', () => {
      const entries = device.log.filter(({ number }) => number > seen);
      const isFirst = seen === 0;
      seen = device.log.at(-1)?.number ?? 0;
      const used = entries.findLast(({ text }) => CARRIES.some((pattern) => pattern.test(text)));
      if (isFirst || !used || Date.now() - last < INTERVAL) return;
      last = Date.now();
      const packet = el('i', { class: used.kind === 'sent' ? 'packet up' : 'packet', animationend: () => packet.remove() });
      wire.append(packet);
      // Without motion there is no end of it.
      setTimeout(() => packet.remove(), 1000);
    });
  }
}
