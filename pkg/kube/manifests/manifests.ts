import { hash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Clock, seconds } from '../../runner/clock.ts';
import type { KubeLog } from '../metrics.ts';
import { Reducer } from '../objects/reduce.ts';
import type { Change, Kind, ObjectName, Source } from '../types.ts';
import { FolderWatcher } from './folder-watcher.ts';
import { type Manifest, ManifestError, parseManifests } from './manifest-file.ts';

/** How long the files must have been left alone before they are read: editors write in several steps. */
const settleTime = 100; // ms
/** How often the files are looked at although nobody said that they changed: some file systems do not say. */
const scanInterval = seconds(5);

/** How many bytes a file may have. */
const sizeLimit = 256 * 1024 * 1024;

export interface ManifestSourceOptions {
  /** A file, or a folder of which every .yaml, .yml and .json file counts. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: KubeLog;
  /** The one Node that is told. */
  readonly nodeName: string;
}

/** What a file says of one object. */
interface Statement {
  readonly key: string;
  readonly kind: Kind;
  readonly name: ObjectName;
  readonly change: Change;
  readonly fingerprint: string;
}

/** A file as it was when it was last looked at. */
interface KnownFile {
  readonly signature: string;
  /** What it says, or said when it last could be read. */
  readonly statements: readonly Statement[];
}

/**
 * The objects in files, told anew as the files change. An object that cannot be read is left out; a file of which
 * nothing can be read keeps what it said before;
 * one that is deleted takes its objects with it. Of one object in two files the first file, by name, wins.
 */
export class ManifestSource implements Source {
  readonly #options: ManifestSourceOptions;
  readonly #reducer = new Reducer();
  #files: ReadonlyMap<string, KnownFile> = new Map();
  /** What was told and not told as deleted, by key. */
  readonly #told = new Map<string, Statement>();
  readonly #reported = new Set<string>();

  constructor(options: ManifestSourceOptions) {
    this.#options = options;
  }

  async run(onChange: (change: Change) => void, signal: AbortSignal): Promise<void> {
    const { path } = this.#options;
    // What cannot be read at the start is a slip of the pen, and taking it for nothing would empty the kernel.
    const isFolder = (await named(path, stat(path))).isDirectory();
    const watcher = this.#watch(isFolder);
    try {
      this.#files = isFolder
        ? await this.#readFolder()
        : new Map([[path, await this.#parse(path)]]);
      this.#tell(onChange);
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

  /** A file is watched through its folder, because editors put a new file in its place. */
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

  /** Until something changed and has settled, or it is time to look anyway. */
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
      // What was there stays in force until it can be read again.
      return this.#report(messageOf(error), () =>
        log.error('cannot read manifests, keeping what they said', { error: messageOf(error) }),
      );
    }
    const isSame =
      before.size === this.#files.size &&
      [...this.#files].every(([file, known]) => before.get(file) === known);
    if (!isSame) this.#tell(onChange);
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

  /** A file as it is now, or, if it cannot be read, as it was. */
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
    // Before the content: if that changes in between, the next look will see it.
    const signature = await signatureOf(path);
    const { manifests, ignoredKinds, refused } = parseManifests(
      await named(path, readManifest(path)),
      path,
    );
    for (const { message } of refused)
      this.#options.log.error('refusing an object of a manifest', { error: message });
    for (const kind of ignoredKinds) {
      this.#report(`${path}: ${kind}`, () =>
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

  /** Tells the difference between what the files say and what was told. */
  #tell(onChange: (change: Change) => void): void {
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
        if (this.#told.get(key)?.fingerprint === statement.fingerprint) continue;
        this.#told.set(key, statement);
        onChange(statement.change);
      }
    }
    for (const [key, { kind, name }] of this.#told) {
      if (owners.has(key)) continue;
      this.#told.delete(key);
      onChange({ type: 'delete', kind, name });
    }
  }

  #reportTwice(object: string, [first, second]: readonly [string, string]): void {
    this.#report(`${object} ${first} ${second}`, () => {
      this.#options.log.error('an object stands twice in the manifests, the first counts', {
        object,
        first,
        second,
      });
    });
  }

  /** Says something once. */
  #report(what: string, say: () => void): void {
    if (this.#reported.has(what)) return;
    if (this.#reported.size > 10_000) this.#reported.clear();
    this.#reported.add(what);
    say();
  }
}

/** The text of a file. One that is too large is refused before it is in memory. */
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

/** Errors of the file system in one line that begins with the path. */
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

/** The files of a folder that count, by name. */
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
