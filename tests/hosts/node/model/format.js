// The two encodings of sync lines.

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
