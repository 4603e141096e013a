import { afterEach, describe, expect, test } from 'vitest';
import type { Protocol } from '../../pkg/ip/protocol.ts';
import type { VirtualServerId } from '../../pkg/ipvs/ipvs.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip } from '../support/addresses.ts';
import { type KernelCall, writeKind } from '../support/faults/fault.ts';
import type { FaultyNode } from '../support/faults/faulty-node.ts';
import { scriptedNode } from '../support/faults/scripted-faults.ts';
import { endpoint, service, servicePort, slice } from '../support/objects.ts';
import { remove, setService, setSlice } from '../support/proxier.ts';

// Draining real servers that somebody else deleted, or whose deletion was done and its answer lost: their drains are over.

const nodes: FaultyNode[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

const protocols = ['TCP', 'UDP', 'SCTP'] as const;
const leavings = ['its Service is deleted', 'its endpoint is removed'] as const;
const disappearances = [
  'the real server is deleted',
  'the virtual server is deleted',
  'the answer to its deletion is lost',
] as const;
const rows = protocols.flatMap((protocol) =>
  leavings.flatMap((leaving) =>
    disappearances.map((disappearance) => ({ protocol, leaving, disappearance })),
  ),
);

/** With these the drain is over before anybody could interfere. */
const atOnce = rows.filter(
  ({ protocol, disappearance }) =>
    protocol === 'UDP' && disappearance !== 'the answer to its deletion is lost',
);

async function start({ protocol }: { protocol: Protocol }) {
  const { node, faults } = await scriptedNode();
  nodes.push(node);
  const ports = [{ name: '', protocol, port: 8080 }];
  const slices = (...addresses: readonly string[]) =>
    setSlice(
      slice(
        addresses.map((address) => endpoint(address)),
        { ports },
      ),
    );
  node.stand.report(
    setService(service({ ports: [servicePort({ protocol })] })),
    slices('10.0.0.1', '10.0.0.2'),
  );
  await node.stand.settle(seconds(1));
  const virtualServer: VirtualServerId = { address: ip('172.30.0.1'), protocol, port: 80 };
  for (const realServer of await node.kernel.ipvs.realServers(virtualServer))
    node.kernel.ipvs.setCounters(virtualServer, realServer, { activeConnections: 3 });
  return { node, faults, virtualServer, slices };
}

/** The first deletion of a real server is done, and its answer lost. */
function firstDeletionIsLost() {
  let isFirst = true;
  return (call: KernelCall) => {
    if (!isFirst || writeKind(call) !== 'deleteRealServer') return undefined;
    isFirst = false;
    return { code: 'ENOBUFS', isDone: true } as const;
  };
}

async function drainAndVanish({ protocol, leaving, disappearance }: (typeof rows)[number]) {
  const { node, faults, virtualServer, slices } = await start({ protocol });
  const { ipvs } = node.kernel;
  const isLost = disappearance === 'the answer to its deletion is lost';
  if (isLost) faults.next = firstDeletionIsLost();
  if (leaving === 'its endpoint is removed') node.stand.report(slices('10.0.0.1'));
  else node.stand.report(remove('Service', 'web'), remove('EndpointSlice', 'web-1'));
  await node.stand.settle(700);
  if (disappearance === 'the virtual server is deleted')
    ipvs.write([{ kind: 'deleteVirtualServer', virtualServer }]);
  if (disappearance === 'the real server is deleted') {
    const draining = (await ipvs.realServers(virtualServer)).filter(({ weight }) => weight === 0);
    ipvs.write(
      draining.map((realServer) => ({ kind: 'deleteRealServer', virtualServer, realServer })),
    );
  }
  if (isLost)
    for (const realServer of await ipvs.realServers(virtualServer))
      ipvs.setCounters(virtualServer, realServer, { activeConnections: 0 });
  return { node };
}

describe('the drain of a real server that is gone ends', () => {
  async function expectEnd(row: (typeof rows)[number]): Promise<void> {
    const { node } = await drainAndVanish(row);
    await node.stand.settle(minutes(2));
    expect(node.stand.proxier.graceful.size).toBe(0);
    expect(node.kernel.ipvs.dump()).not.toContain('10.0.0.2');
    expect(node.watch.repetitions).toEqual([]);
    const { lines } = node.watch;
    await node.stand.settle(minutes(10));
    expect(node.watch.lines).toBe(lines);
  }

  test.each(rows.filter((row) => !atOnce.includes(row)))(
    '$protocol, $leaving, $disappearance',
    expectEnd,
  );
  test.each(atOnce)('$protocol, $leaving, $disappearance', expectEnd);
});

test('1,000 drains whose virtual servers somebody deletes end with less than one line for each Service', async () => {
  const { node } = await scriptedNode();
  nodes.push(node);
  const names = Array.from({ length: 200 }, (_, index) => `s${index}`);
  for (const [index, name] of names.entries()) {
    const endpoints = [1, 2, 3, 4, 5].map((last) => endpoint(`10.0.${index}.${last}`));
    node.stand.report(
      setService(service({ name, clusterIPs: [ip(`172.30.1.${index}`)] })),
      setSlice(slice(endpoints, { serviceName: name, name: `${name}-1` })),
    );
  }
  await node.stand.settle(seconds(2));
  const { ipvs } = node.kernel;
  const virtualServers = await ipvs.virtualServers();
  for (const virtualServer of virtualServers)
    for (const realServer of await ipvs.realServers(virtualServer))
      ipvs.setCounters(virtualServer, realServer, { activeConnections: 1 });
  for (const name of names)
    node.stand.report(remove('Service', name), remove('EndpointSlice', `${name}-1`));
  await node.stand.settle(seconds(3));
  expect(node.stand.proxier.graceful.size).toBe(1000);
  const before = node.watch.unasked;
  ipvs.write(
    virtualServers.map((virtualServer) => ({ kind: 'deleteVirtualServer', virtualServer })),
  );
  await node.stand.settle(minutes(2));
  expect(node.stand.proxier.graceful.size).toBe(0);
  expect(node.watch.unasked - before).toBeLessThan(names.length);
});
