import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

// In a process of its own: the name of this one belongs to the test runner.

test('ps, pgrep and pidof know the process as kube-proxy, with its arguments', async () => {
  const module = new URL('process-name.ts', import.meta.url).href;
  const script = `const { nameProcess } = await import('${module}');
    nameProcess(['--config=/c', '-v=2']);
    console.log('named');
    process.stdin.resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script]);
  await once(child.stdout, 'data');
  const read = (name: string) => readFileSync(`/proc/${child.pid}/${name}`, 'utf8');
  expect(read('comm')).toBe('kube-proxy\n');
  expect(read('cmdline').replace(/\0+$/, '')).toBe('kube-proxy --config=/c -v=2');
  child.stdin.end();
  expect(await once(child, 'exit')).toEqual([0, null]);
});
