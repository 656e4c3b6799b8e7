#!/usr/bin/env node
// The command `rowtide`: runs the program, as if it had been called itself.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { programPath } from './program.js';

let program;
try {
  program = programPath();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exit(1);
}
// The program recommends further commands by the name that it was called by.
const child = spawn(program, process.argv.slice(2), { argv0: 'rowtide', stdio: 'inherit' });
// Ctrl-C goes to both; this one stays until the program has stopped. What is sent to this process alone is passed on.
process.on('SIGINT', () => {});
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  console.error(`error: cannot start ${program}: ${error.message}`);
  process.exit(1);
});
child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
