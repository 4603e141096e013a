import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority } from '@kube-proxy-ipvs/test-apiserver/certificates';
import { printKubeconfig } from '@kube-proxy-ipvs/test-apiserver/kubeconfig';
import { HttpClient } from '../../../pkg/kube/api/client.ts';
import { noMetrics } from '../../../pkg/kube/metrics.ts';
import type { Kind } from '../../../pkg/kube/types.ts';
import { systemClock } from '../../../pkg/runner/clock.ts';
import type { KubeClientHarness } from '../../contract/kube-client.ts';
import type { ApiObject } from './objects.ts';

const startTimeout = 60_000; // ms
const token = 'test-token';
const collections: Readonly<Record<Kind, string>> = {
  Service: '/api/v1/namespaces/default/services',
  EndpointSlice: '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices',
  Node: '/api/v1/nodes',
};

/**
 * Starts etcd and kube-apiserver from a folder of binaries (envtest's convention), in a folder of their own. Resolves when the
 * server has made what it makes by itself. What was started ends with the stack, also if that is before, and with this process.
 */
export async function realApiServer(
  assets: string,
  stack: AsyncDisposableStack,
): Promise<KubeClientHarness> {
  const folder = mkdtempSync(join(tmpdir(), 'apiserver-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  const authority = new CertificateAuthority({ commonName: 'authority' });
  const [client, peer, port] = await Promise.all([freePort(), freePort(), freePort()]);
  const children = [
    start(join(assets, 'etcd'), etcdFlags(folder, { client, peer })),
    start(join(assets, 'kube-apiserver'), serverFlags(folder, { authority, etcd: client, port })),
  ];
  for (const child of children) stack.defer(() => end(child));
  const server = new URL(`https://127.0.0.1:${port}`);
  const credentials = {
    headers: { authorization: `Bearer ${token}` },
    tls: { ca: authority.certificate },
    agent: undefined,
  };
  const connection = { server, credentials: async () => credentials };
  const api = new HttpClient({
    connection,
    clock: systemClock,
    metrics: noMetrics,
    userAgent: 'test',
  });
  stack.defer(() => api.close());
  await ready(api, children);
  return {
    address: { host: '127.0.0.1', port },
    kubeconfig: (address) =>
      printKubeconfig({ url: `https://${address}`, authority: authority.certificate, token }),
    apply: (object) => apply(api, object),
    remove: async (object) => write(server, { method: 'DELETE', path: pathOf(object), authority }),
    objects: (kind) => objects(api, kind),
  };
}

/** Merge patches only what is there; slices and ports are arrays, which it replaces whole. */
async function apply(api: HttpClient, object: ApiObject): Promise<void> {
  const labels = { 'service.kubernetes.io/service-proxy-name': null, ...object.metadata.labels };
  try {
    await api.patch(pathOf(object), { ...object, metadata: { ...object.metadata, labels } });
  } catch {
    const metadata =
      object.metadata.namespace === ''
        ? { ...object.metadata, namespace: undefined }
        : object.metadata;
    await api.post(collections[object.kind as Kind], { ...object, metadata });
  }
}

async function objects(api: HttpClient, kind: Kind): Promise<unknown[]> {
  const all: unknown[] = [];
  await api.list(collections[kind], { onItems: (items) => all.push(...items) });
  return all;
}

async function write(
  server: URL,
  { method, path, authority }: { method: string; path: string; authority: CertificateAuthority },
): Promise<void> {
  const { request } = await import('node:https');
  const call = request(new URL(path, server), {
    method,
    ca: authority.certificate,
    headers: { authorization: `Bearer ${token}` },
  }).end();
  const [response] = (await once(call, 'response')) as [NodeJS.ReadableStream];
  await once(response.resume(), 'end');
}

function pathOf({ kind, metadata }: ApiObject): string {
  return `${collections[kind as Kind]}/${metadata.name}`;
}

function etcdFlags(folder: string, { client, peer }: { client: number; peer: number }): string[] {
  const [clientUrl, peerUrl] = [client, peer].map((port) => `http://127.0.0.1:${port}`);
  return [
    `--data-dir=${folder}/etcd`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    '--unsafe-no-fsync',
  ];
}

function serverFlags(
  folder: string,
  { authority, etcd, port }: { authority: CertificateAuthority; etcd: number; port: number },
): string[] {
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const { certificate, key } = authority.issue({
    commonName: 'apiserver',
    hosts: ['127.0.0.1', 'localhost'],
  });
  const accounts = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return [
    `--etcd-servers=http://127.0.0.1:${etcd}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    `--tls-cert-file=${file('server.crt', certificate)}`,
    `--tls-private-key-file=${file('server.key', key)}`,
    `--token-auth-file=${file('tokens.csv', `${token},admin,1,system:masters\n`)}`,
    '--service-account-issuer=https://127.0.0.1/',
    `--service-account-key-file=${file('account.pub', accounts.publicKey)}`,
    `--service-account-signing-key-file=${file('account.key', accounts.privateKey)}`,
    '--service-cluster-ip-range=172.30.0.0/16',
    '--authorization-mode=RBAC',
    '--disable-admission-plugins=ServiceAccount',
    `--cert-dir=${folder}/certs`,
  ];
}

/** The kernel ends it when the thread ends that started it, however that comes. */
function start(binary: string, flags: readonly string[]): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', binary, ...flags], {
    stdio: process.env['DEBUG'] === undefined ? 'ignore' : 'inherit',
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** What a server makes by itself some time after it has begun to answer. */
const ownObjects = (['Service', 'EndpointSlice'] as const).map(
  (kind) => `${collections[kind]}/kubernetes`,
);

async function ready(api: HttpClient, children: readonly ChildProcess[]): Promise<void> {
  const deadline = Date.now() + startTimeout;
  for (;;) {
    try {
      for (const path of ownObjects) await api.get(path);
      return;
    } catch (error) {
      if (children.some(hasEnded))
        throw new Error('kube-apiserver or etcd ended', { cause: error });
      if (Date.now() > deadline)
        throw new Error('kube-apiserver did not start in time', { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
