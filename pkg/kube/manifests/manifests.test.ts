import { readdirSync, readFileSync, statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { errorText } from '../../log/error-text.ts';
import { type Clock, seconds, systemClock } from '../../runner/clock.ts';
import { type ManualClock, manualClock } from '../../runner/manual-clock.ts';
import type { Change } from '../types.ts';
import { ManifestSource } from './manifests.ts';

let folder: string;
let inode: string;
let clock: ManualClock;
let stop: AbortController;
let running: Promise<void>;
let log: string[];
let changes: string[];
let received: () => void;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'manifests-'));
  inode = statSync(folder).ino.toString(16);
  clock = manualClock();
  stop = new AbortController();
  running = Promise.resolve();
  log = [];
  changes = [];
  received = () => {};
});

afterEach(async () => {
  stop.abort();
  await running;
  expect(clock.pending()).toBe(0);
  expect(watchedInodes()).not.toContain(inode);
  await rm(folder, { recursive: true, force: true });
});

function start(path = folder, time: Clock = clock): Promise<void> {
  const say = (message: string, details: object = {}) => {
    log.push(`${message} ${Object.values(details).join(' ')}`);
    received();
  };
  const source = new ManifestSource({
    path,
    clock: time,
    log: { info: say, error: say },
    nodeName: 'n1',
  });
  running = source.run((change) => {
    changes.push(print(change));
    received();
  }, stop.signal);
  return running;
}

function print(change: Change): string {
  if ('name' in change) return `${change.type} ${change.kind} ${change.name.name}`;
  if (change.type !== 'set') return `${change.type} ${change.kind}`;
  return `set ${change.object.name}${change.kind === 'Service' ? ` ${change.object.ports[0]?.port ?? '-'}` : ''}`;
}

/** The inodes of the folders that this process watches, as the kernel lists them. */
function watchedInodes(): string[] {
  const infos = readdirSync('/proc/self/fdinfo').map((fd) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
    } catch {
      return ''; // closed meanwhile
    }
  });
  return infos.flatMap((info) =>
    [...info.matchAll(/^inotify wd:\w+ ino:(\w+)/gm)].map(([, ino = '']) => ino),
  );
}

function service(name: string, port = 80): string {
  return `{apiVersion: v1, kind: Service, metadata: {name: ${name}}, spec: {clusterIP: 172.30.0.1, ports: [{port: ${port}}]}}\n`;
}

async function write(name: string, ...documents: string[]): Promise<void> {
  await writeFile(join(folder, name), documents.join('---\n'));
}

/** Waits until a list has so many elements while time passes. */
async function next(list: string[], count: number): Promise<string[]> {
  while (list.length < count) {
    const { promise, resolve } = Promise.withResolvers<void>();
    received = resolve;
    const ticking = setInterval(() => void clock.advance(seconds(1)), 1);
    await promise;
    clearInterval(ticking);
  }
  return list.splice(0);
}

const synced = ['synced Service', 'synced EndpointSlice', 'synced Node'];

describe('a folder', () => {
  test('is reported file by file, then as synced, and afterwards by its differences', async () => {
    await write('b.yaml', service('b1'), service('b2'));
    await write(
      'a.json',
      JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'a1' }, spec: {} }),
    );
    await write('.hidden.yaml', service('hidden'));
    await write('notes.txt', 'not yaml: [');
    void start();
    expect(await next(changes, 6)).toEqual(['set a1 -', 'set b1 80', 'set b2 80', ...synced]);
    await write('b.yaml', service('b1'), service('b3'));
    expect(await next(changes, 2)).toEqual(['set b3 80', 'delete Service b2']);
    await write('c.yml', service('c1'));
    expect(await next(changes, 1)).toEqual(['set c1 80']);
    await rm(join(folder, 'b.yaml'));
    expect(await next(changes, 2)).toEqual(['delete Service b1', 'delete Service b3']);
    expect(log).toEqual([]);
  });

  test('where a file is replaced by another, as editors do', async () => {
    await write('a.yaml', service('a1'));
    void start();
    await next(changes, 4);
    expect(watchedInodes()).toContain(inode);
    await write('a.yaml.new', service('a1', 81));
    await rename(join(folder, 'a.yaml.new'), join(folder, 'a.yaml'));
    expect(await next(changes, 1)).toEqual(['set a1 81']);
  });

  test('where a file breaks keeps what it said, says so once, and reads it when it is mended', async () => {
    await write('a.yaml', service('a1'));
    await write('b.yaml', service('b1'));
    void start();
    await next(changes, 5);
    await write('a.yaml', `${service('a1')}\n  - [`);
    const [error] = await next(log, 1);
    expect(error).toMatch(
      /^cannot read a manifest, its last good content stays in force .*a\.yaml:\d+:\d+: /,
    );
    await write('b.yaml', service('b1', 90));
    expect(await next(changes, 1)).toEqual(['set b1 90']);
    await write('a.yaml', service('a1', 81));
    expect(await next(changes, 1)).toEqual(['set a1 81']);
    expect(log).toEqual([]);
  });

  test('where one object is bad reports the others of its file, and says which it is', async () => {
    const nameless = '{apiVersion: v1, kind: Service, spec: {ports: [{port: 80}]}}\n';
    await write('a.yaml', service('a1'), nameless, service('a2'));
    void start();
    expect(await next(changes, 5)).toEqual(['set a1 80', 'set a2 80', ...synced]);
    const refused = `refusing an object of a manifest ${folder}/a.yaml: document 2: a Service without metadata.name`;
    expect(log.splice(0)).toEqual([refused]);
    await write('a.yaml', service('a1', 81), nameless, service('a2'));
    expect(await next(changes, 1)).toEqual(['set a1 81']);
    expect(log.splice(0)).toEqual([refused]);
    // A mistake: no valid object is left.
    await write('a.yaml', nameless);
    expect(await next(log, 1)).toEqual([
      `cannot read a manifest, its last good content stays in force ${folder}/a.yaml: document 1: a Service without metadata.name`,
    ]);
    await write('b.yaml', service('b1'));
    expect(await next(changes, 1)).toEqual(['set b1 80']);
  });

  test('where a file is broken from the start reports the others', async () => {
    await write('a.yaml', 'a: [');
    await write('b.yaml', service('b1'));
    void start();
    expect(await next(changes, 4)).toEqual(['set b1 80', ...synced]);
    expect(log).toHaveLength(1);
  });

  test('with one object in two files reports the first, and the second when the first goes', async () => {
    await write('a.yaml', service('web', 1));
    await write('b.yaml', service('web', 2), service('web', 3));
    void start();
    expect(await next(changes, 4)).toEqual(['set web 1', ...synced]);
    expect(log).toEqual([
      `an object stands twice in the manifests, the first counts Service default/web ${folder}/a.yaml ${folder}/b.yaml`,
    ]);
    await rm(join(folder, 'a.yaml'));
    expect(await next(changes, 1)).toEqual(['set web 2']);
  });

  test('reports our Node and no other, and names ignored kinds', async () => {
    const node = (name: string) => `{apiVersion: v1, kind: Node, metadata: {name: ${name}}}\n`;
    await write(
      'a.yaml',
      node('n2'),
      node('n1'),
      '{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}\n',
    );
    void start();
    expect(await next(changes, 4)).toEqual(['set n1', ...synced]);
    expect(log).toEqual([
      `ignoring objects of a kind that is not read ${folder}/a.yaml apps/v1 Deployment`,
    ]);
  });

  test('that vanishes keeps what it said', async () => {
    await write('a.yaml', service('a1'));
    void start();
    await next(changes, 4);
    await rm(folder, { recursive: true });
    expect(await next(log, 1)).toEqual([
      `cannot read manifests, keeping what they said ${folder}: no such file or folder`,
    ]);
    await mkdir(folder);
    await write('a.yaml', service('a1', 81));
    expect(await next(changes, 1)).toEqual(['set a1 81']);
  });

  test('is seen to change at once, by what the file system says', async () => {
    await write('a.yaml', service('a1'));
    void start(folder, {
      ...systemClock,
      after: (time, callback) =>
        time >= seconds(1) ? () => {} : systemClock.after(time, callback),
    });
    while (changes.length < 4) await new Promise<void>((resolve) => (received = resolve));
    const changed = new Promise<void>((resolve) => (received = resolve));
    await write('a.yaml', service('a1', 81));
    await changed;
    expect(changes.slice(4)).toEqual(['set a1 81']);
  });
});

describe('a single file', () => {
  test('is followed through replacement, and kept when it vanishes', async () => {
    const path = join(folder, 'all');
    await write('all', service('a'), service('b'));
    void start(path);
    expect(await next(changes, 5)).toEqual(['set a 80', 'set b 80', ...synced]);
    await write('new', service('b'));
    await rename(join(folder, 'new'), path);
    expect(await next(changes, 1)).toEqual(['delete Service a']);
    await rm(path);
    expect(await next(log, 1)).toEqual([
      `cannot read manifests, keeping what they said ${path}: no such file or folder`,
    ]);
    await write('all', service('c'));
    expect(await next(changes, 2)).toEqual(['set c 80', 'delete Service b']);
  });

  test('that cannot be read at the start is an error in one line', async () => {
    const error = await start(join(folder, 'none')).catch((reason: unknown) => reason);
    expect(errorText(error)).toBe(`${folder}/none: no such file or folder`);
    running = Promise.resolve();
    await write('sparse.yaml', '');
    await truncate(join(folder, 'sparse.yaml'), 300 * 1024 * 1024);
    await expect(start(join(folder, 'sparse.yaml'))).rejects.toThrow(
      `${folder}/sparse.yaml: is larger than 268435456 bytes`,
    );
    running = Promise.resolve();
    await write('bad.yaml', 'a: b\nc: [\n');
    await expect(start(join(folder, 'bad.yaml'))).rejects.toThrow(/bad\.yaml:3:1: /);
    running = Promise.resolve();
  });

  test.skipIf(process.getuid?.() === 0)(
    'that may not be read is an error (skipped for root, who may)',
    async () => {
      await write('secret.yaml', service('a'));
      await chmod(join(folder, 'secret.yaml'), 0);
      await expect(start(join(folder, 'secret.yaml'))).rejects.toThrow('permission denied');
      running = Promise.resolve();
    },
  );
});
