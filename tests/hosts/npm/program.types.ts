// Compiled, not run: the types of the package with the program.

import { RowtideError, dev, programPath } from 'rowtide';
import type { DevOptions, DevServer } from 'rowtide';

export async function check(options: DevOptions): Promise<string> {
  await using server: DevServer = await dev({ ...options, users: ['alice'], port: 0 });
  await server.reset();
  const source: string | undefined = server.source;
  // @ts-expect-error: a port is a number
  await dev({ port: '8080' });
  const column: string | undefined = (await server.schema()).tables[0]?.columns[0]?.name;
  const code = new RowtideError('').exitCode ?? 0;
  return `${await server.token('alice')} ${server.tokens['alice']} ${source} ${column} ${programPath()} ${code}`;
}
