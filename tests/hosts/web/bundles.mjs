// Bundles the app as the package's README says.
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where the app is, with the packages installed in it. */
export const PROJECT = process.cwd();

const required = createRequire(join(PROJECT, 'package.json'));
const { build } = required('esbuild');

const README = new URL('../../../tool/dist/packages/web/README.md', import.meta.url);
const SERVICE = new URL('../../../docs/service/README.md', import.meta.url);

/** A block of code that the README marks by a word. */
async function snippet(word) {
  const text = await readFile(README, 'utf8');
  const [, code] = new RegExp(`<!-- run: ${word} -->\n\`\`\`js\n([^]*?)\`\`\``).exec(text);
  return code;
}

/** Each writes its files into a directory. */
const BUNDLERS = {
  async vite(output) {
    await writeFile(join(PROJECT, 'vite.config.js'), await snippet('vite'));
    const options = ['build', '--outDir', output, '--emptyOutDir', '--logLevel', 'error'];
    await run(process.execPath, [join(PROJECT, 'node_modules/vite/bin/vite.js'), ...options], { cwd: PROJECT });
  },

  async webpack(output) {
    const file = join(PROJECT, 'webpack.config.mjs');
    await writeFile(file, await snippet('webpack'));
    const { default: config } = await import(pathToFileURL(file));
    // Minimizing takes longer than everything else.
    const ours = { context: PROJECT, mode: 'production', optimization: { minimize: false }, output: { path: output } };
    const result = await promisify(required('webpack'))({ ...config, ...ours });
    if (result.hasErrors()) throw new Error(result.toString({ preset: 'errors-only' }));
    await writePage(output, '<script defer src="./main.js"></script>');
  },

  async esbuild(output) {
    await writeFile(join(PROJECT, 'build.mjs'), await snippet('esbuild'));
    await run(process.execPath, ['build.mjs'], { cwd: PROJECT });
    await rename(join(PROJECT, 'dist'), output);
    await writePage(output, '<script type="module" src="./main.js"></script>');
  },

  /** The same app without any of ours. */
  async published(output) {
    await withEsbuild(output, {});
    for (const name of ['wa-sqlite.wasm', 'wa-sqlite-async.wasm']) {
      await cp(join(PROJECT, 'node_modules/@journeyapps/wa-sqlite/dist', name), join(output, name));
    }
  },

  /** The app with another version of SQLite than the one that the side modules fit. */
  async 'another version'(output) {
    const other = join(PROJECT, 'other.json');
    await writeFile(other, JSON.stringify({ version: '2.0.6' }));
    const name = '@journeyapps/wa-sqlite/dist/wa-sqlite';
    await withEsbuild(output, {
      '@journeyapps/wa-sqlite/package.json': other,
      [`${name}.mjs`]: 'powersync-sqlite-core-web/esbuild/wa-sqlite.mjs',
      [`${name}-async.mjs`]: 'powersync-sqlite-core-web/esbuild/wa-sqlite-async.mjs'
    });
  }
};

async function withEsbuild(output, alias) {
  const worker = './node_modules/@powersync/web/lib/worker/worker.js';
  const options = { bundle: true, format: 'esm', splitting: true, loader: { '.wasm': 'file' }, absWorkingDir: PROJECT };
  await build({ ...options, entryPoints: { main: './main.js', worker }, alias, outdir: output });
  await writePage(output, '<script type="module" src="./main.js"></script>');
}

async function writePage(output, script) {
  const page = await readFile(join(PROJECT, 'index.html'), 'utf8');
  await writeFile(join(output, 'index.html'), page.replace(/<script.*<\/script>/, script));
}

/** Copies the app into the project, with the connector that the service's documentation shows. */
export async function prepare() {
  const app = new URL('app/', import.meta.url);
  for (const name of ['index.html', 'main.js']) await cp(new URL(name, app), join(PROJECT, name));
  const [, connector] = /```js\n(export class Connector[^]*?)```/.exec(await readFile(SERVICE, 'utf8'));
  await writeFile(join(PROJECT, 'connector.js'), connector);
  await mkdir(join(PROJECT, 'made'), { recursive: true });
}

const made = new Map();

/** Bundles the app, once; gives the directory. */
export function bundle(name) {
  if (!made.has(name)) made.set(name, make(name));
  return made.get(name);
}

async function make(name) {
  const output = join(PROJECT, 'made', name);
  await rm(output, { recursive: true, force: true });
  await BUNDLERS[name](output);
  return output;
}

/** Starts Vite's server, which bundles nothing. */
export async function developmentServer() {
  await writeFile(join(PROJECT, 'vite.config.js'), await snippet('vite'));
  const { createServer } = await import(pathToFileURL(required.resolve('vite')));
  const options = { host: '127.0.0.1', port: 0, hmr: false };
  const vite = await createServer({ root: PROJECT, logLevel: 'error', server: options });
  await vite.listen();
  const { port } = vite.httpServer.address();
  return { address: `http://127.0.0.1:${port}`, close: () => vite.close() };
}
