import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import { test } from 'vitest';
import { realApiServer } from '../support/kube/real-apiserver.ts';
import { type KubeClientHarness, kubeClientContract } from './kube-client.ts';

kubeClientContract('the test API server', async (stack): Promise<KubeClientHarness> => {
  const server = stack.use(await startApiServer());
  const url = new URL(server.url);
  return {
    address: { host: url.hostname, port: Number(url.port) },
    kubeconfig: (address) => server.kubeconfig({ url: `https://${address}` }),
    apply: async (object) => void server.apply(object),
    remove: async (object) => {
      if (server.get(object) !== undefined) server.delete(object);
    },
    objects: async (kind) => server.objects(kind),
  };
});

const assets = process.env['KUBEBUILDER_ASSETS'] ?? '';
if (existsSync(join(assets, 'kube-apiserver')))
  kubeClientContract('a real kube-apiserver', (stack) => realApiServer(assets, stack));
else
  test.skip('a real kube-apiserver: skipped, KUBEBUILDER_ASSETS names no folder with kube-apiserver and etcd', () => {});
