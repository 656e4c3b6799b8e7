// The two encodings of sync lines, chosen by the client's Accept header.

import { serialize } from 'bson';

export const BSON = {
  name: 'BSON',
  type: 'application/vnd.powersync.bson-stream',
  encode: (line) => serialize(line, { ignoreUndefined: true })
};

export const NDJSON = {
  name: 'NDJSON',
  type: 'application/x-ndjson',
  encode: (line) => JSON.stringify(line) + '\n'
};

/**
 * The format that a client likes best among those that the service has.
 *
 * @param {string} accept such as `application/vnd.powersync.bson-stream;q=0.9,application/x-ndjson;q=0.8`
 */
export function negotiate(accept, available) {
  const wishes = accept.split(',').map((part) => {
    const [type, ...parameters] = part.split(';').map((text) => text.trim());
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    return { type, quality: quality === undefined ? 1 : Number(quality.slice(2)) };
  });
  wishes.sort((a, b) => b.quality - a.quality);
  for (const { type } of wishes) {
    const format = available.find((candidate) => candidate.type === type);
    if (format !== undefined) return format;
  }
  return undefined;
}
