// Stands for a program that browser.mjs runs at an address: standard input, output and exit code are that program's.
import { text } from 'node:stream/consumers';

const [address] = process.argv.slice(2);
const response = await fetch(address, { method: 'POST', body: await text(process.stdin) });
if (!response.ok) throw new Error(await response.text());
const { code, output } = await response.json();
process.stdout.write(output);
process.exitCode = code;
