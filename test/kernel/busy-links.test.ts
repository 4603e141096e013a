import { service, slice } from '@kube-proxy-ipvs/test-apiserver/samples';
import { afterAll, expect, test } from 'vitest';
import { AddressWriter } from '../support/address-writer.ts';
import { ip } from '../support/addresses.ts';
import { ManifestFile } from '../support/manifests.ts';
import { createNamespace } from '../support/namespace.ts';
import { fetchText } from '../support/network/http.ts';
import { Network } from '../support/network/network.ts';
import { Program } from '../support/program.ts';

const { node } = new Network();
const elsewhere = createNamespace();
const manifests = new ManifestFile();
const probe = { address: ip('127.0.0.1'), port: 10_256, path: '/healthz' };
let program: Program | undefined;
let writer: AddressWriter | undefined;

afterAll(async () => {
  await writer?.end();
  await program?.end('SIGKILL');
  manifests.remove();
  elsewhere.remove();
  node.namespace.remove();
});

/** So many Services, each with an address of its own. */
function report(count: number): void {
  manifests.write(
    Array.from({ length: count }, (_, index) => [
      service(`web${index}`, { clusterIP: `172.30.7.${index + 1}` }),
      slice(`web${index}`, ['10.0.1.1'], { ports: [{ port: 8080 }] }),
    ]).flat(),
  );
}

function boundAddresses(): number {
  const lines = node.namespace.run('ip', '-o', 'addr', 'show', 'dev', 'kube-ipvs0').split('\n');
  return lines.filter((line) => line.includes(' 172.30.7.')).length;
}

test('while another program adds and deletes 50,000 addresses, probes are answered and new Services get theirs', async () => {
  report(1);
  const flags = ['--healthz-bind-address=127.0.0.1:10256', manifests.flag];
  program = await Program.start(node.namespace, { flags });
  await program.said('first sync done');
  writer = new AddressWriter(elsewhere);
  await writer.begun();
  report(50);
  expect(await fetchText(node, probe)).toContain('lastUpdated');
  expect(writer.isAtWork).toBe(true);
  await expect.poll(boundAddresses).toBe(50);
  expect(await fetchText(node, probe)).toContain('lastUpdated');
  expect(writer.isAtWork).toBe(true);
});
