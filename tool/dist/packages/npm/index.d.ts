/** What `load` needs of a database; better-sqlite3's `Database` and node:sqlite's `DatabaseSync` have it. */
export interface ExtensionHost {
  loadExtension(path: string): unknown;
}

/**
 * Absolute path of the library for this platform.
 *
 * @throws {Error} if the package with the library for this platform is not installed
 */
export function getLoadablePath(): string;

/**
 * Loads the extension into an open database.
 *
 * A `DatabaseSync` of node:sqlite must have been opened with `{ allowExtension: true }`.
 *
 * @throws {TypeError} if the database cannot load extensions
 * @throws {Error} if there is no library for this platform, or SQLite refuses it
 */
export function load(db: ExtensionHost): void;
