'use strict';

// Inside of its package the library has the name from which SQLite derives that of the entry point.
const FILES = { darwin: 'libpowersync.dylib', linux: 'libpowersync.so', win32: 'powersync.dll' };

/** Absolute path of the library for this platform. */
function getLoadablePath() {
  const name = `powersync-sqlite-core-${process.platform}-${process.arch}`;
  try {
    return require.resolve(`${name}/${FILES[process.platform]}`);
  } catch (cause) {
    throw new Error(
      `PowerSync: the package ${name} is not installed. Either nothing is published for this platform, or optional ` +
        'dependencies were left out when powersync-sqlite-core was installed.',
      { cause },
    );
  }
}

/** Loads the extension into an open database. */
function load(db) {
  if (typeof db?.loadExtension !== 'function') {
    throw new TypeError('PowerSync: load needs a database that can load extensions, of better-sqlite3 or node:sqlite');
  }
  db.loadExtension(getLoadablePath());
}

exports.getLoadablePath = getLoadablePath;
exports.load = load;
