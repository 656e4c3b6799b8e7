// SQLite as WebAssembly, with the extension as a library that it links while it starts.
import factory from '/assets/parts/wa-sqlite/dist/wa-sqlite-dynamic-main.mjs';
import { Factory } from '/assets/parts/wa-sqlite/src/sqlite-api.js';
import { OPFSCoopSyncVFS } from '/assets/parts/wa-sqlite/src/examples/OPFSCoopSyncVFS.js';

const MAIN = '/assets/parts/wa-sqlite/dist/wa-sqlite-dynamic-main.wasm';
const SIDE = '/assets/parts/powersync.side.wasm';

/**
 * Starts SQLite. Databases that are opened later have the extension.
 *
 * @returns {Promise<{module: any, sqlite: any}>}
 */
export async function startSqlite() {
  const compiled = WebAssembly.compileStreaming(fetch(MAIN));
  let symbols;
  const module = await new Promise((resolve, reject) => {
    // The script tells nobody when it cannot load the library, and waits for it without end.
    self.addEventListener('unhandledrejection', ({ reason }) => reject(reason), { once: true });
    const options = {
      dynamicLibraries: ['powersync.side.wasm'],
      locateFile: () => SIDE,
      instantiateWasm(imports, done) {
        symbols = imports.env; // what the library exports is added here
        const start = async (main) => done(await WebAssembly.instantiate(main, imports), main);
        compiled.then(start).catch(reject);
        return {};
      }
    };
    factory(options).then(resolve, reject);
  });
  symbols.powersync_init_static();
  return { module, sqlite: Factory(module) };
}

/**
 * Makes SQLite keep its files in the origin's private file system, which only workers can write.
 *
 * @returns {Promise<{lastError: Error | null}>} the file system
 */
export async function useFiles(sqlite, module) {
  const files = await OPFSCoopSyncVFS.create('opfs', module);
  sqlite.vfs_register(files, true);
  return files;
}
