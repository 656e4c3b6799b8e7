/** Loads SQLite with the extension; the SDK calls this. Stands in for the default export of `@journeyapps/wa-sqlite/dist/wa-sqlite.mjs`. */
export default function load(options?: object): Promise<any>;
