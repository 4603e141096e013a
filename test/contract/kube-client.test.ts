import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import { expect, test } from 'vitest';
import { realApiServer } from '../support/kube/real-apiserver.ts';
import { type KubeClientHarness, kubeClientContract } from './kube-client.ts';

/** What it answers lists and watches in, by the content type that all of them then have. */
const forms = {
  JSON: /^application\/json$/,
  protobuf: /^application\/vnd[.]kubernetes[.]protobuf/,
};

for (const [form, contentType] of Object.entries(forms)) {
  const protobuf = form === 'protobuf';
  kubeClientContract(
    `the test API server in ${form}`,
    async (stack): Promise<KubeClientHarness> => {
      const server = stack.use(await startApiServer({ protobuf }));
      stack.defer(() => {
        const answers = server.requests
          .all({})
          .filter(({ code, verb }) => code === 200 && isMany(verb));
        for (const answer of answers) expect(answer.contentType).toMatch(contentType);
      });
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
    },
  );
}

function isMany(verb: string): boolean {
  return verb === 'list' || verb === 'watch';
}

const assets = process.env['KUBEBUILDER_ASSETS'] ?? '';
if (existsSync(join(assets, 'kube-apiserver')))
  kubeClientContract('a real kube-apiserver', (stack) => realApiServer(assets, stack));
else
  test.skip('a real kube-apiserver: skipped, KUBEBUILDER_ASSETS names no folder with kube-apiserver and etcd', () => {});
