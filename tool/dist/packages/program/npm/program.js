// Where the program is.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Absolute path of the program for this platform. */
export function programPath() {
  const named = process.env.ROWTIDE_BINARY;
  if (named) {
    if (!existsSync(named)) throw new Error(`rowtide: ROWTIDE_BINARY names ${named}, which does not exist`);
    return named;
  }
  const name = `rowtide-${process.platform}-${process.arch}`;
  const file = process.platform === 'win32' ? 'rowtide.exe' : 'rowtide';
  try {
    return createRequire(import.meta.url).resolve(`${name}/${file}`);
  } catch (cause) {
    throw new Error(
      `rowtide: the package ${name} is not installed. Either nothing is published for this platform, or optional ` +
        'dependencies were left out when rowtide was installed. A program that you have built yourself is used if the ' +
        'environment variable ROWTIDE_BINARY has its path.',
      { cause },
    );
  }
}
