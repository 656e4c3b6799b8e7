/// <reference lib="esnext.disposable" />

/** What a development service is made of. Without anything it is that of a small todo app, with the users alice and bob. */
export interface DevOptions {
  /** The sync configuration, a file. */
  config?: string;
  /** An SQL script that the source begins with, and goes back to with `reset()`; a file. */
  seed?: string;
  /** Write rules, a file. Without them clients of a configuration cannot write. */
  writes?: string;
  /** The database whose rows are synced, `sqlite:PATH` or `json:DIR`. Without it: an SQLite file that is removed at the end. */
  source?: string;
  /** Users whose tokens are in `tokens`. */
  users?: readonly string[];
  /** The port on the loopback address; without it a free one. */
  port?: number;
  /** Names buckets the same each time, and signs tokens with the same secret. */
  deterministic?: boolean;
  /** The folder that relative paths begin at; without it that of this process. */
  cwd?: string;
}

/** The tables of a client. There may be more members than these. */
export interface ClientSchema {
  tables: { name: string; columns: { name: string; type: string }[]; [more: string]: unknown }[];
  [more: string]: unknown;
}

/** A development service that runs. It stops with this process, whatever ends that. */
export interface DevServer extends AsyncDisposable {
  /** Where it is reached, as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** A token for each named user, valid for a day. */
  readonly tokens: Readonly<Record<string, string>>;
  /** The SQLite file whose rows are synced, which may be written to; undefined if the source is another one. */
  readonly source: string | undefined;
  /** The folder with all its files, which is removed at the end. */
  readonly folder: string;
  /**
   * A new token for any user, valid for a day.
   *
   * @throws {RowtideError} if the service has stopped
   */
  token(user: string): Promise<string>;
  /**
   * The schema of clients as the configuration and the source have it, as `powersync_replace_schema` takes it.
   *
   * @throws {RowtideError} if the source cannot be read, or the service has stopped
   */
  schema(): Promise<ClientSchema>;
  /**
   * Gives the source the rows of its seed again. Clients see that as ordinary changes.
   *
   * @throws {RowtideError} if there is no seed, or the service has stopped
   */
  reset(): Promise<void>;
  /** Stops it, and waits until it has ended. Nothing is left behind. Stopping it twice does no harm. */
  stop(): Promise<void>;
}

/** The program could not be started, has ended, or has refused what was asked of it. */
export class RowtideError extends Error {
  /** The exit code of a program that has ended: 2 if a file or an option has a mistake. */
  readonly exitCode: number | null;
  /** What the program has said to standard error before it was ready. */
  readonly stderr: string;
}

/**
 * Starts a development service, and resolves when clients can sync.
 *
 * What it says to standard error then goes to that of this process: mistakes in files that have changed, for instance.
 *
 * @throws {RowtideError} with what the program says about it, if it does not start
 * @throws {Error} if there is no program for this platform
 */
export function dev(options?: DevOptions): Promise<DevServer>;

/**
 * Absolute path of the program for this platform. The environment variable `ROWTIDE_BINARY` names another one.
 *
 * @throws {Error} if the package with the program for this platform is not installed
 */
export function programPath(): string;
