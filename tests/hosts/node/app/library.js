// The library under test: POWERSYNC_LIBRARY, or the release build of this repository. The word `published` means
// the library that the SDK brings along.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { getPowerSyncExtensionFilename } from '@powersync/node/worker.js';

const NAMES = { darwin: 'libpowersync.dylib', win32: 'powersync.dll' };

const SDK_LIBRARIES = new URL('../node_modules/@powersync/node/lib/', import.meta.url);

/** Absolute path of the library that the SDK brings along. */
export const published = fileURLToPath(new URL(getPowerSyncExtensionFilename(), SDK_LIBRARIES));

function find() {
  const named = process.env.POWERSYNC_LIBRARY;
  if (named === 'published') return published;
  if (named) return resolve(named);
  const release = new URL('../../../../target/release/', import.meta.url);
  return fileURLToPath(new URL(NAMES[process.platform] ?? 'libpowersync.so', release));
}

function versionOf(path) {
  const database = new Database(':memory:');
  try {
    database.loadExtension(path, 'sqlite3_powersync_init');
    return database.prepare('SELECT powersync_rs_version()').pluck().get();
  } finally {
    database.close();
  }
}

const path = find();
if (!existsSync(path)) throw new Error(`there is no library ${path}; \`cargo xtask node\` builds it`);
const version = versionOf(path);

/** Absolute path and version of the library, and whether it is ours: the published versions end below 0.5.100. */
export const library = { path, version, isOurs: Number(version.split(/[./]/)[2]) >= 100 };
