// Compiled, not run: the package's types accept databases as node:sqlite and better-sqlite3 declare them, and nothing else.

import { getLoadablePath, load } from 'powersync-sqlite-core';

declare class DatabaseSync {
  loadExtension(path: string): void;
}

declare class BetterSqlite3 {
  loadExtension(path: string): this;
}

export function check(node: DatabaseSync, better: BetterSqlite3): string {
  load(node);
  load(better);
  // @ts-expect-error: a path is no database
  load(getLoadablePath());
  return getLoadablePath();
}
