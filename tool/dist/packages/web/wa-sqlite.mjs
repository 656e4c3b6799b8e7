// Stands in for `@journeyapps/wa-sqlite/dist/wa-sqlite.mjs`, for bundlers that find files by `new URL`.
import factory from '@journeyapps/wa-sqlite/dist/wa-sqlite-dynamic-main.mjs';
import { load } from './load.mjs';

const main = new URL('@journeyapps/wa-sqlite/dist/wa-sqlite-dynamic-main.wasm', import.meta.url);
const side = new URL('./powersync.side.wasm', import.meta.url);

export default (options) => load(factory, main.href, side.href, options);
