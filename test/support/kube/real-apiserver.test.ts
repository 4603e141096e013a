import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { nameOf } from '../../../pkg/kube/objects/reduce.ts';
import { service } from './objects.ts';
import { realApiServer } from './real-apiserver.ts';

// How a real kube-apiserver is started, waited for and ended, tried on programs that stand in for it and for etcd.

vi.setConfig({ testTimeout: 60_000, expect: { poll: { timeout: 60_000 } } });
afterAll(() => vi.resetConfig());

const names = ['etcd', 'kube-apiserver'] as const;
const forEver = 'exec sleep 1000000';
const answers = `exec ${process.execPath} ${pathOf('../../fixtures/stand-in-apiserver.ts')} "$@"`;
let assets: string;
let stack: AsyncDisposableStack;

beforeEach(() => {
  assets = mkdtempSync(join(tmpdir(), 'assets-'));
  stack = new AsyncDisposableStack();
});

afterEach(async () => {
  await stack.disposeAsync();
  rmSync(assets, { recursive: true });
});

function pathOf(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** Writes programs that leave their process ids, then do what a test gave them to do. */
function install(apiserver: string): void {
  for (const [name, line] of [
    ['etcd', forEver],
    ['kube-apiserver', apiserver],
  ] as const) {
    const file = join(assets, name);
    writeFileSync(file, `#!/bin/sh\necho $$ >${file}.pid\n${line}\n`);
    chmodSync(file, 0o755);
  }
}

/** Waits until both run. Their process ids. */
async function started(): Promise<readonly number[]> {
  const pids = () => names.map((name) => Number(readFileSync(join(assets, `${name}.pid`), 'utf8')));
  await expect.poll(pids).not.toContain(0);
  return pids();
}

/** Whether a process is there, other than as one that has ended and waits for its parent. */
function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test('it is there when it has made what it makes by itself, and takes and gives objects', async () => {
  install(answers);
  const server = await realApiServer(assets, stack);
  const services = async () => (await server.objects('Service')).map((one) => nameOf(one)?.name);
  expect(await services()).toEqual(['kubernetes']);
  expect(await server.objects('EndpointSlice')).toHaveLength(1);
  await server.apply(service('a'));
  expect(await services()).toEqual(['a', 'kubernetes']);
  await server.remove(service('a'));
  expect(await services()).toEqual(['kubernetes']);
});

test('what was started ends with the stack, also while it is waited for', async () => {
  install(forEver);
  const failure = realApiServer(assets, stack).catch((error: Error) => error.message);
  const pids = await started();
  expect(pids.map(isAlive)).toEqual([true, true]);
  await stack.disposeAsync();
  expect(pids.map(isAlive)).toEqual([false, false]);
  expect(await failure).toBe('kube-apiserver or etcd ended');
});

test('a server that ends by itself is not waited for', async () => {
  install('exit 1');
  await expect(realApiServer(assets, stack)).rejects.toThrow('kube-apiserver or etcd ended');
});

test('what was started ends with the process that started it, however that ends', async () => {
  install(forEver);
  const script = `
    import { realApiServer } from ${JSON.stringify(pathOf('real-apiserver.ts'))};
    await realApiServer(${JSON.stringify(assets)}, new AsyncDisposableStack());`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script]);
  const pids = await started();
  child.kill('SIGKILL');
  await once(child, 'exit');
  await expect.poll(() => pids.map(isAlive)).toEqual([false, false]);
});
