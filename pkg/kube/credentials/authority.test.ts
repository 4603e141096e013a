import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority } from '@kube-proxy-ipvs/test-apiserver/certificates';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { noMetrics } from '../metrics.ts';
import { loadConnection } from './config.ts';
import type { Connection } from './connection.ts';

const [first, second] = ['first', 'second'].map(
  (commonName) => new CertificateAuthority({ commonName }).certificate,
);

let folder: string;
let counted: string[];
let connection: Connection;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'authority-'));
  counted = [];
  connection = await connect({ 'certificate-authority': 'ca.crt' });
});

afterEach(() => rmSync(folder, { recursive: true }));

function connect(cluster: object): Promise<Connection> {
  write(first);
  const kubeconfig = join(folder, 'kubeconfig');
  const text = JSON.stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server: 'https://192.168.0.1:6443', ...cluster } }],
    users: [{ name: 'u', user: { token: 'secret' } }],
  });
  writeFileSync(kubeconfig, text);
  const metrics = {
    ...noMetrics,
    authorityReloaded: (reload: string) => void counted.push(reload),
  };
  return loadConnection({ kubeconfig, master: '', metrics });
}

function write(text = ''): void {
  writeFileSync(join(folder, 'ca.crt'), text);
}

const credentials = () => connection.credentials({ fresh: false });

test('a file that is read again is unchanged, or updated', async () => {
  expect(counted).toEqual([]); // The first reading is none of again.
  await credentials();
  expect(counted).toEqual(['unchanged']);
  write(second);
  expect((await credentials()).tls.ca?.toString()).toBe(second);
  expect(counted).toEqual(['unchanged', 'updated']);
});

test.each([
  ['is gone', undefined, 'read_error'],
  ['is empty', '', 'empty'],
  ['is none', 'garbage', 'ca_parse_error'],
])('a file that %s is a failure, and what is written after it is used', async (_, text, reload) => {
  if (text === undefined) rmSync(join(folder, 'ca.crt'));
  else write(text);
  await expect(credentials()).rejects.toThrow('ca.crt');
  write(second);
  await credentials();
  expect(counted).toEqual([reload, 'updated']);
});

test('an authority in the kubeconfig itself is not counted', async () => {
  const data = Buffer.from(first ?? '').toString('base64');
  connection = await connect({ 'certificate-authority-data': data });
  await credentials();
  expect(counted).toEqual([]);
});
