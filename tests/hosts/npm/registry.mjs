// Runs a command while a registry serves the packages of a directory: `node registry.mjs DIRECTORY COMMAND…`. The command
// gets the registry's address in `npm_config_registry`.
//
// It knows just what `npm install` asks for: documents of packages, and their files. Packages that are not in the
// directory do not exist, as those of platforms that were not built.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const [directory, ...command] = process.argv.slice(2);
const files = new Map(
  readdirSync(directory).filter((name) => name.endsWith('.tgz')).map((name) => [name, readFileSync(join(directory, name))]),
);

/** The `package.json` of a package: a tar file has blocks of 512 bytes, and each file's name and size before it. */
function manifest(file) {
  const tar = gunzipSync(file);
  for (let at = 0; at < tar.length; ) {
    const name = tar.toString('latin1', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 136), 8) || 0;
    if (name === 'package/package.json') return JSON.parse(tar.toString('utf8', at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error('a package without package.json');
}

const packages = new Map();
for (const [name, file] of files) {
  const contents = manifest(file);
  const integrity = `sha512-${createHash('sha512').update(file).digest('base64')}`;
  packages.set(contents.name, { contents, integrity, file: name });
}

const server = createServer((request, response) => {
  const name = request.url.slice(1);
  const found = packages.get(name);
  if (files.has(name)) {
    response.end(files.get(name));
  } else if (found) {
    const { contents, integrity, file } = found;
    const dist = { integrity, tarball: `${address}/${file}` };
    const { version } = contents;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ name, 'dist-tags': { latest: version }, versions: { [version]: { ...contents, dist } } }));
  } else {
    response.statusCode = 404;
    response.end('{"error": "not found"}');
  }
});

let address;
server.listen(0, '127.0.0.1', () => {
  address = `http://127.0.0.1:${server.address().port}`;
  const [program, ...parameters] = command;
  const env = { ...process.env, npm_config_registry: address };
  // On Windows npm is a script of the shell.
  const child = spawn(program, parameters, { stdio: 'inherit', env, shell: process.platform === 'win32' });
  child.on('exit', (code) => process.exit(code ?? 1));
});
