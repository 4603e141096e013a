import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { abstractNames } from './abstract-names.ts';
import type { HeldName, NameHolder } from './instance.ts';

const name = `kube-proxy-test-${process.pid}`;
const open: { close(): void }[] = [];

afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

function take(): HeldName {
  const held = abstractNames.take(name);
  if (held === 'taken') throw new Error('taken');
  open.push(held);
  return held;
}

function holder(): NameHolder {
  const found = abstractNames.holder(name);
  if (found === 'unknown') throw new Error('unknown');
  open.push(found);
  return found;
}

/** How many connections to the name were not accepted yet. */
function unaccepted(): number {
  // Num RefCount Protocol Flags Type St Inode Path; SS_CONNECTING of linux/net.h is 2.
  const sockets = readFileSync('/proc/net/unix', 'utf8').split('\n');
  return sockets.filter((socket) => /(?:\S+ ){5}02 /.test(socket) && socket.endsWith(`@${name}`))
    .length;
}

describe('a name', () => {
  test('is one process’s at a time', () => {
    const held = take();
    expect(abstractNames.take(name)).toBe('taken');
    open.splice(0);
    held.close();
    take();
  });
  test('says whose it is', () => {
    take();
    expect(holder()).toMatchObject({ uid: process.getuid?.(), pid: process.pid });
  });
  test('that nobody has says nothing', () => {
    expect(abstractNames.holder(name)).toBe('unknown');
  });
  test('that is given up ends the waits of those that were accepted', async () => {
    const held = take();
    const waiting = holder().ended(new AbortController().signal);
    expect(unaccepted()).toBe(1);
    await expect.poll(unaccepted).toBe(0);
    open.shift();
    held.close();
    await waiting;
  });
  test('that is given up ends the waits of those that were not accepted yet', async () => {
    const held = take();
    const waiting = holder().ended(new AbortController().signal);
    expect(unaccepted()).toBe(1);
    open.shift();
    held.close();
    await waiting;
  });
  test('of a process that is killed is free at once, and its end is reported', async () => {
    const script = `require('node:net').createServer((s) => s.resume()).listen('\\0${name}', () => console.log('here'))`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    expect(abstractNames.take(name)).toBe('taken');
    const waiting = holder().ended(new AbortController().signal);
    child.kill('SIGKILL');
    await waiting;
    await once(child, 'close');
    take();
  });
  test('is waited for no longer than the signal lasts', async () => {
    take();
    const stop = new AbortController();
    const waiting = holder().ended(stop.signal);
    stop.abort();
    await waiting;
    await holder().ended(stop.signal);
  });
  test('that too many ask for is still this process’s, and asks nobody to wait', async () => {
    take();
    const answers = Array.from({ length: 200 }, () => abstractNames.holder(name));
    open.push(...answers.filter((answer) => answer !== 'unknown'));
    expect(answers).toContain('unknown');
    expect(abstractNames.take(name)).toBe('taken');
  });
});
