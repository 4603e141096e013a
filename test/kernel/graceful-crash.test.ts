import { service } from '@kube-proxy-ipvs/test-apiserver/samples';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { ManifestFile, type Pod, podSlices } from '../support/manifests.ts';
import { ask, type Request } from '../support/network/client.ts';
import { type Host, Network } from '../support/network/network.ts';
import { type Server, serve } from '../support/network/server.ts';
import { Program } from '../support/program.ts';
import { Stream } from '../support/stream.ts';
import { weights } from '../support/weights.ts';

// The program as a process ended in the middle of drains, by force or in good order, and started again. (What one proxier does
// with what another left in the kernel: graceful-restart.test.ts.)

let network: Network;
let web1: Host;
let web2: Host;
let ways: readonly (readonly [Host, Request])[];
let streams: readonly Stream[];
let manifests: ManifestFile;
let program: Program;
let servers: readonly Server[];

beforeEach(() => {
  network = new Network();
  const client = network.addClient('client', [ip('203.0.113.7')]);
  const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
  web1 = network.addPod('web1', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
  web2 = network.addPod('web2', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
  servers = [web1, web2].flatMap((host) =>
    host.addresses.map((address) => serve(host, { address, protocol: 'TCP', port: 8080 })),
  );
  const to = { protocol: 'TCP' } as const;
  ways = [
    [caller, { ...to, address: ip('172.30.0.1'), port: 80 }],
    [caller, { ...to, address: ip('fd00:172:30::1'), port: 80 }],
    [client, { ...to, address: ip('192.168.0.10'), port: 30_080 }],
  ];
  streams = [];
  manifests = new ManifestFile();
});

afterEach(async () => {
  await Promise.all(streams.map((stream) => stream.stop()));
  await program.end('SIGKILL');
  for (const server of servers) server.close();
  network.close();
  manifests.remove();
});

/** The Service `web` with these pods. */
function write(...pods: readonly Pod[]): void {
  const spec = {
    type: 'NodePort',
    ipFamilies: ['IPv4', 'IPv6'],
    clusterIPs: ['172.30.0.1', 'fd00:172:30::1'],
    ports: [{ port: 80, nodePort: 30_080 }],
  };
  manifests.write([service('web', spec), ...podSlices('web', ...pods)]);
}

async function start(): Promise<void> {
  program = await Program.start(network.node.namespace, { flags: [manifests.flag] });
  await program.said('first sync done');
}

const weightsOf = (host: Host) => weights(network.node, host);

/** {@link web1} is told to end, and the program has done what follows. */
async function drain(): Promise<void> {
  write({ host: web1, isTerminating: true }, web2);
  await expect.poll(() => weightsOf(web1)).toEqual([0]);
  await expect.poll(() => weightsOf(web2)).toEqual([1]);
}

async function expectConnected(): Promise<void> {
  const failures = await Promise.all(streams.map((stream) => stream.next(2)));
  expect(failures).toEqual(ways.map(() => undefined));
}

/** Who answers new connections, whichever way they come. */
async function answering(): Promise<readonly string[]> {
  const all = [...ways, ...ways];
  const answers = await Promise.all(all.map(([host, to]) => ask(host, to)));
  const names = answers.map((answer) => (answer.kind === 'answer' ? answer.server : answer.kind));
  return [...new Set(names)].sort();
}

test.each(['SIGKILL', 'SIGTERM'] as const)(
  '%s in the middle of a drain loses no connection, and the drain goes on',
  async (signal) => {
    write(web1);
    await start();
    streams = await Promise.all(ways.map(([host, to]) => Stream.open(host, to)));
    await drain();

    await program.end(signal);
    await expectConnected();
    expect(weightsOf(web1)).toEqual([0]);

    // While nobody was there the pod turned out to stay.
    write(web1, web2);
    await start();
    expect([weightsOf(web1), weightsOf(web2)]).toEqual([[1], [1]]);
    await expectConnected();
    expect(await answering()).toEqual(['web1', 'web2']);

    await drain();
    await program.end(signal);
    await start();
    expect([weightsOf(web1), weightsOf(web2)]).toEqual([[0], [1]]);
    await expectConnected();
    expect(await answering()).toEqual(['web2']);

    // The pod of a drain that another program began.
    network.cut(web1);
    write(web2);
    await expect.poll(() => weightsOf(web1)).toEqual([]);
    expect(await Promise.all(streams.map((stream) => stream.end()))).toEqual(
      ways.map(() => 'reset'),
    );
    expect(await answering()).toEqual(['web2']);
  },
);
