import { hash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Clock, seconds } from '../../runner/clock.ts';
import type { KubeLog } from '../metrics.ts';
import { Reducer } from '../objects/reduce.ts';
import type { Change, Kind, ObjectName, Source } from '../types.ts';
import { FolderWatcher } from './folder-watcher.ts';
import { type Manifest, ManifestError, parseManifests } from './manifest-file.ts';

/** How long files must be unchanged before they are read, as editors write in several steps. */
const settleTime = 100; // ms
/** How often files are checked without a notification: some file systems send none. */
const scanInterval = seconds(5);

/** How many bytes a file may have. */
const sizeLimit = 256 * 1024 * 1024;

export interface ManifestSourceOptions {
  /** A file, or a folder whose .yaml, .yml and .json files are read. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: KubeLog;
  /** The one Node that is reported. */
  readonly nodeName: string;
}

/** An object as one file has it. */
interface Statement {
  readonly key: string;
  readonly kind: Kind;
  readonly name: ObjectName;
  readonly change: Change;
  readonly fingerprint: string;
}

/** A file when it was last read. */
interface KnownFile {
  readonly signature: string;
  /** Its objects when it could last be read. */
  readonly statements: readonly Statement[];
}

/**
 * Reports the objects in files, and again when the files change. An invalid object is left out. A file that cannot be read at all
 * keeps its objects; one that is deleted loses them. If two files have the same object, the first one by name wins.
 */
export class ManifestSource implements Source {
  readonly #options: ManifestSourceOptions;
  readonly #reducer = new Reducer();
  #files: ReadonlyMap<string, KnownFile> = new Map();
  /** The objects that are reported, by key. */
  readonly #reported = new Map<string, Statement>();
  readonly #logged = new Set<string>();

  constructor(options: ManifestSourceOptions) {
    this.#options = options;
  }

  async run(onChange: (change: Change) => void, signal: AbortSignal): Promise<void> {
    const { path } = this.#options;
    // A path that cannot be read at the start is a mistake: going on without objects would empty the kernel.
    const isFolder = (await named(path, stat(path))).isDirectory();
    const watcher = this.#watch(isFolder);
    try {
      this.#files = isFolder
        ? await this.#readFolder()
        : new Map([[path, await this.#parse(path)]]);
      this.#report(onChange);
      for (const kind of ['Service', 'EndpointSlice', 'Node'] as const)
        onChange({ type: 'synced', kind });
      while (!signal.aborted) {
        await this.#wait(watcher, signal);
        if (!signal.aborted) await this.#scan(isFolder, onChange);
      }
    } finally {
      watcher.close();
    }
  }

  /** Watches a file through its folder, because editors replace the file. */
  #watch(isFolder: boolean): FolderWatcher {
    const { path, log } = this.#options;
    // A mounted ConfigMap changes by a link whose name begins with two dots.
    const concerns = (name: string) => isFolder || name === basename(path) || name.startsWith('..');
    const onError = (error: Error) =>
      log.error('cannot watch for changes, looking every few seconds', {
        path,
        error: error.message,
      });
    return new FolderWatcher(isFolder ? path : dirname(path), { concerns, onError });
  }

  /** Waits until a change has settled or the next check is due. */
  async #wait(watcher: FolderWatcher, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    await new Promise<void>((resolve) => {
      const latest = clock.now() + scanInterval;
      let cancel = clock.after(scanInterval, done);
      function settle(): void {
        cancel();
        cancel = clock.after(Math.min(settleTime, latest - clock.now()), done);
      }
      function done(): void {
        cancel();
        watcher.listen(undefined);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done, { once: true });
      watcher.listen(settle);
    });
  }

  async #scan(isFolder: boolean, onChange: (change: Change) => void): Promise<void> {
    const { path, log } = this.#options;
    const before = this.#files;
    try {
      this.#files = isFolder ? await this.#readFolder() : new Map([[path, await this.#read(path)]]);
    } catch (error) {
      // The objects of a file stay until it can be read again.
      return this.#logOnce(messageOf(error), () =>
        log.error('cannot read manifests, keeping what they said', { error: messageOf(error) }),
      );
    }
    const isSame =
      before.size === this.#files.size &&
      [...this.#files].every(([file, known]) => before.get(file) === known);
    if (!isSame) this.#report(onChange);
  }

  async #readFolder(): Promise<Map<string, KnownFile>> {
    const files = new Map<string, KnownFile>();
    for (const path of await manifestPaths(this.#options.path)) {
      try {
        files.set(path, await this.#read(path));
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    return files;
  }

  /** Reads a file. One that cannot be read stays as it was. */
  async #read(path: string): Promise<KnownFile> {
    const known = this.#files.get(path);
    const signature = await signatureOf(path);
    if (known?.signature === signature) return known;
    try {
      return await this.#parse(path);
    } catch (error) {
      if (isNotFound(error)) throw error;
      const outcome =
        known === undefined ? 'nothing of it counts' : 'its last good content stays in force';
      this.#options.log.error(`cannot read a manifest, ${outcome}`, { error: messageOf(error) });
      return { signature, statements: known?.statements ?? [] };
    }
  }

  async #parse(path: string): Promise<KnownFile> {
    // Before the content, so that a change in between is found by the next check.
    const signature = await signatureOf(path);
    const { manifests, ignoredKinds, refused } = parseManifests(
      await named(path, readManifest(path)),
      path,
    );
    for (const { message } of refused)
      this.#options.log.error('refusing an object of a manifest', { error: message });
    for (const kind of ignoredKinds) {
      this.#logOnce(`${path}: ${kind}`, () =>
        this.#options.log.info('ignoring objects of a kind that is not read', { path, kind }),
      );
    }
    const ours = manifests.filter(
      ({ kind, name }) => kind !== 'Node' || name.name === this.#options.nodeName,
    );
    return { signature, statements: ours.map((manifest) => this.#statement(manifest)) };
  }

  #statement({ kind, name, raw }: Manifest): Statement {
    const change = this.#reducer.change(kind, raw);
    const fingerprint = hash('sha1', JSON.stringify(change), 'base64');
    return { key: `${kind} ${name.namespace}/${name.name}`, kind, name, change, fingerprint };
  }

  /** Reports the differences between the files and what was reported before. */
  #report(onChange: (change: Change) => void): void {
    const owners = new Map<string, string>();
    for (const [path, { statements }] of this.#files) {
      for (const statement of statements) {
        const { key } = statement;
        const owner = owners.get(key);
        if (owner !== undefined) {
          this.#reportTwice(key, [owner, path]);
          continue;
        }
        owners.set(key, path);
        if (this.#reported.get(key)?.fingerprint === statement.fingerprint) continue;
        this.#reported.set(key, statement);
        onChange(statement.change);
      }
    }
    for (const [key, { kind, name }] of this.#reported) {
      if (owners.has(key)) continue;
      this.#reported.delete(key);
      onChange({ type: 'delete', kind, name });
    }
  }

  #reportTwice(object: string, [first, second]: readonly [string, string]): void {
    this.#logOnce(`${object} ${first} ${second}`, () => {
      this.#options.log.error('an object stands twice in the manifests, the first counts', {
        object,
        first,
        second,
      });
    });
  }

  /** Logs a problem once. */
  #logOnce(what: string, log: () => void): void {
    if (this.#logged.has(what)) return;
    if (this.#logged.size > 10_000) this.#logged.clear();
    this.#logged.add(what);
    log();
  }
}

/** The text of a file. One that is too large is refused before it is read. */
async function readManifest(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > sizeLimit)
    throw new ManifestError(path, { reason: `is larger than ${sizeLimit} bytes` });
  return readFile(path, 'utf8');
}

async function signatureOf(path: string): Promise<string> {
  const { ino, size, mtimeNs, ctimeNs } = await named(path, stat(path, { bigint: true }));
  return [ino, size, mtimeNs, ctimeNs].join(' ');
}

/** Turns an error of the file system into one line that begins with the path. */
async function named<Result>(path: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof ManifestError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    const reason =
      code === 'ENOENT'
        ? 'no such file or folder'
        : code === 'EACCES'
          ? 'permission denied'
          : messageOf(cause);
    throw new ManifestError(path, { reason, code });
  }
}

/** The files of a folder that are read, by name. */
async function manifestPaths(folder: string): Promise<string[]> {
  const names = await named(folder, readdir(folder));
  const isManifest = (name: string) => /\.(ya?ml|json)$/i.test(name) && !name.startsWith('.');
  return names
    .filter(isManifest)
    .sort()
    .map((name) => join(folder, name));
}

function isNotFound(error: unknown): boolean {
  return error instanceof ManifestError && error.code === 'ENOENT';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
