// Stands in for `@journeyapps/wa-sqlite/dist/wa-sqlite-async.mjs`, for bundlers that find files by `import`.
import factory from '@journeyapps/wa-sqlite/dist/wa-sqlite-async-dynamic-main.mjs';
import main from '@journeyapps/wa-sqlite/dist/wa-sqlite-async-dynamic-main.wasm';
import { load } from '../load.mjs';
import side from '../powersync.side-async.wasm';

const address = (file) => new URL(file, import.meta.url).href;

export default (options) => load(factory, address(main), address(side), options);
