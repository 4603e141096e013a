import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManifestFile } from '../support/manifests.ts';
import { createNamespace, type Namespace } from '../support/namespace.ts';
import { Program } from '../support/program.ts';

// Two kube-proxies on one node: the second one waits for the end of the first.

let namespace: Namespace;
let manifests: ManifestFile;
let squatter: ChildProcess | undefined;
const programs: Program[] = [];

beforeEach(() => {
  namespace = createNamespace();
  manifests = new ManifestFile();
  manifests.write([]);
});

afterEach(async () => {
  for (const program of programs.splice(0)) await program.end('SIGKILL');
  if (squatter !== undefined) {
    squatter.kill('SIGKILL');
    await once(squatter, 'close');
    squatter = undefined;
  }
  namespace.remove();
  manifests.remove();
});

async function start(...flags: readonly string[]): Promise<Program> {
  const program = await Program.start(namespace, { flags: [manifests.flag, ...flags] });
  programs.push(program);
  return program;
}

test('the second waits, says so, and takes over when the first is killed', async () => {
  const first = await start();
  await first.said('first sync done');
  const second = await start();
  await second.said('another kube-proxy works on this node');
  expect(second.output).not.toContain('starting');
  await first.end('SIGKILL');
  await second.said('taking over');
  await second.said('first sync done');
});

test('one that waits ends at once when it is told to, and --init-only and --cleanup never wait', async () => {
  const first = await start();
  await first.said('first sync done');
  const second = await start();
  await second.said('another kube-proxy works on this node');
  expect(await second.end('SIGTERM')).toEqual({ status: 0, signal: null });
  for (const flag of ['--init-only', '--cleanup']) {
    const third = await start(flag);
    await third.ended();
    expect(third.output).not.toContain('another kube-proxy');
  }
});

test('who is not root cannot hold it up', async () => {
  const script =
    "process.setuid(65534); require('node:net').createServer().listen('\\0kube-proxy-ipvs', () => console.log('here'))";
  const argv = ['netns', 'exec', namespace.name, process.execPath, '-e', script];
  squatter = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  if (squatter.stdout !== null) await once(squatter.stdout, 'data');
  const program = await start();
  await program.said('user 65534 has its name, who is not root');
  await program.said('first sync done');
});
