/**
 * Within how long /healthz answers while another program holds the kernel's lock for links and addresses (RTNL) again and again:
 * `ip -batch` adds and deletes 50,000 addresses, and Services come whose addresses are bound meanwhile. Beside it the same without
 * the other program. Needs IPVS: `hack/with-kernel.sh hack/run node test/bench/busy-links.ts [answers]`.
 */
import { performance } from 'node:perf_hooks';
import { service, slice } from '@kube-proxy-ipvs/test-apiserver/samples';
import { AddressWriter } from '../support/address-writer.ts';
import { ip } from '../support/addresses.ts';
import { ManifestFile } from '../support/manifests.ts';
import { createNamespace } from '../support/namespace.ts';
import { fetchText } from '../support/network/http.ts';
import { Network } from '../support/network/network.ts';
import { Program } from '../support/program.ts';
import { printTime, table } from './run.ts';

const [answers = 100] = process.argv.slice(2).map(Number);
const { node } = new Network();
const elsewhere = createNamespace();
const manifests = new ManifestFile();
report(1);
const flags = ['--healthz-bind-address=127.0.0.1:10256', manifests.flag];
const program = await Program.start(node.namespace, { flags });
await program.said('first sync done');
const quiet = await times();
const writer = new AddressWriter(elsewhere);
await writer.begun();
report(200);
const busy = await times();
const wasBusy = writer.isAtWork;
await writer.end();
await program.end('SIGTERM');
manifests.remove();
for (const namespace of [elsewhere, node.namespace]) namespace.remove();
if (!wasBusy) throw new Error('the other program ended before the last answer');
console.log(table(['', 'median', 'longest'], [row('alone', quiet), row('beside ip -batch', busy)]));

/** So many Services, each with an address of its own. */
function report(count: number): void {
  manifests.write(
    Array.from({ length: count }, (_, index) => [
      service(`web${index}`, { clusterIP: `172.30.7.${index + 1}` }),
      slice(`web${index}`, ['10.0.1.1']),
    ]).flat(),
  );
}

/** The milliseconds of so many answers, one after the other, in order of size. */
async function times(): Promise<readonly number[]> {
  const all: number[] = [];
  for (let count = 0; count < answers; count++) {
    const start = performance.now();
    await fetchText(node, { address: ip('127.0.0.1'), port: 10_256, path: '/healthz' });
    all.push(performance.now() - start);
  }
  return all.toSorted((one, other) => one - other);
}

function row(name: string, all: readonly number[]): readonly string[] {
  const median = all[Math.floor(all.length / 2)] ?? 0;
  return [name, printTime(median), printTime(all.at(-1) ?? 0)];
}
