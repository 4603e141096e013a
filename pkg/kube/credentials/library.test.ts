import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const folderOfCode = import.meta.dirname;

function kubeconfig(path: string, { cluster, user }: { cluster?: object; user: object }): string {
  const config = {
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server: 'https://192.168.0.1:6443', ...cluster } }],
    users: [{ name: 'u', user }],
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

/** Asks kubeconfigs for credentials, one after the other, and tells whether the library was loaded before the first and after each. */
const script = (paths: readonly string[]) => `
  import { registerHooks } from 'node:module';
  let isLoaded = false;
  registerHooks({
    load(url, context, next) {
      isLoaded ||= url.includes('/node_modules/@kubernetes/client-node/');
      return next(url, context);
    },
  });
  const { loadConnection } = await import('${folderOfCode}/config.ts');
  const after = [isLoaded];
  for (const kubeconfig of ${JSON.stringify(paths)}) {
    const connection = await loadConnection({ kubeconfig, master: '' });
    await connection.credentials({ fresh: false });
    after.push(isLoaded);
  }
  console.log(JSON.stringify(after));`;

test('client-node is loaded only where its help is needed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const paths = [
    kubeconfig(join(folder, 'token'), { user: { token: 'secret' } }),
    kubeconfig(join(folder, 'proxy'), {
      cluster: { 'proxy-url': 'http://192.168.0.2:3128' },
      user: { token: 'secret' },
    }),
  ];
  const argv = ['--input-type=module', '--eval', script(paths)];
  const printed = execFileSync(process.execPath, argv, { encoding: 'utf8' });
  expect(JSON.parse(printed)).toEqual([false, false, true]);
});
