import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { startScript } from './shell.ts';

const script = startScript({
  kubeconfig: '/run/demo/kubeconfig',
  kubectl: '/opt/kubectl/kubectl',
  hosts: new Map([
    ['outside', 'ns-2'],
    ['cart-7nsxs', 'ns-7'],
  ]),
});

/** What bash prints when the script was read; `ip` only prints its arguments. */
function bash(command: string): string {
  const text = `${script}\nip() { printf '<%s>' ip "$@"; echo; }\n${command}`;
  const { stdout, stderr } = spawnSync('bash', ['-c', text], { encoding: 'utf8' });
  return `${stdout}${stderr}`;
}

test('a command is run where it was said, its words unchanged', () => {
  expect(bash('on cart-7nsxs curl "a b"')).toBe('<ip><netns><exec><ns-7><curl><a b>\n');
  expect(bash('on nobody curl; true')).toContain('no such pod');
});

test('pods are listed', () => {
  expect(bash('pods')).toBe('cart-7nsxs\noutside\n');
});

test('kubectl is found, and knows where the API server is', () => {
  expect(bash('echo "$KUBECONFIG ${PATH%%:*}"')).toBe('/run/demo/kubeconfig /opt/kubectl\n');
});
