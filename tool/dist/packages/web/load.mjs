// Loads SQLite as it is published for dynamic linking, with the extension as its side module.
import main from '@journeyapps/wa-sqlite/package.json';
import own from './package.json';

/** How the main module asks for the side module; where that is, is up to the app's bundler. */
const SIDE = 'powersync.side.wasm';

/**
 * The module that the SDK asks for.
 *
 * @param {Function} factory what the main module's script exports
 * @param {string} mainAddress
 * @param {string} sideAddress
 * @param {object} options those of the SDK
 */
export async function load(factory, mainAddress, sideAddress, options) {
  checkVersion();
  const compiled = await compile(mainAddress);
  // The main module's script leaves a side module that cannot be loaded to nobody, and waits for it without end.
  let onRejection;
  let symbols;
  const loading = new Promise((resolve, reject) => {
    onRejection = ({ reason }) =>
      compile(sideAddress).then(() => reason instanceof WebAssembly.LinkError && reject(reason), reject);
    globalThis.addEventListener('unhandledrejection', onRejection);
    const ours = {
      dynamicLibraries: [SIDE],
      locateFile: (name) => (name === SIDE ? sideAddress : mainAddress),
      instantiateWasm(imports, done) {
        // What the side module exports is added here.
        symbols = imports.env;
        WebAssembly.instantiate(compiled, imports).then((instance) => done(instance, compiled)).catch(reject);
        return {};
      }
    };
    factory({ ...options, ...ours }).then(resolve, reject);
  });
  const module = await loading.finally(() => globalThis.removeEventListener('unhandledrejection', onRejection));
  // The one function of the extension that the SDK calls by itself, where it looks for it.
  module._powersync_init_static = symbols.powersync_init_static;
  return module;
}

/** The two modules call each other by the names and types of one version. */
function checkVersion() {
  const { '@journeyapps/wa-sqlite': sqlite, '@powersync/web': sdk } = own.peerDependencies;
  if (main.version === sqlite) return;
  throw new Error(
    `PowerSync: powersync-sqlite-core-web ${own.version} needs @journeyapps/wa-sqlite ${sqlite}, and this app has ` +
      `${main.version}. Install @powersync/web@${sdk} and @journeyapps/wa-sqlite@${sqlite}.`
  );
}

async function compile(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`PowerSync: cannot load ${address}: ${response.status} ${response.statusText}`);
  // Compiling while it arrives needs a type that not every server sends.
  const isTyped = response.headers.get('Content-Type')?.startsWith('application/wasm');
  try {
    return await (isTyped ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()));
  } catch (cause) {
    throw new Error(`PowerSync: cannot compile ${address}: ${cause.message}`, { cause });
  }
}
