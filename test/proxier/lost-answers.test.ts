import { afterEach, describe, expect, test } from 'vitest';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip } from '../support/addresses.ts';
import { type Fault, type KernelCall, writeKind } from '../support/faults/fault.ts';
import type { FaultyNode } from '../support/faults/faulty-node.ts';
import { scriptedNode } from '../support/faults/scripted-faults.ts';
import { endpoint, service, servicePort, slice } from '../support/objects.ts';
import { remove, setService, setSlice } from '../support/proxier.ts';

// The kernel did something and its answer was lost, or it did nothing: what is written counts as unknown until it is read back.

const nodes: FaultyNode[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

async function start() {
  const { node, faults } = await scriptedNode();
  nodes.push(node);
  return { node, faults, empty: node.kernel.dump() };
}

type Type = 'ClusterIP' | 'NodePort';

function web(type: Type) {
  const nodePort = type === 'NodePort' ? 30_080 : 0;
  const clusterIPs = [ip('172.30.0.1'), ip('fd00:172:30::1')];
  return [
    setService(service({ type, clusterIPs, ports: [servicePort({ nodePort })] })),
    setSlice(slice([endpoint('10.0.0.1', { nodeName: 'here' }), endpoint('10.0.0.2')])),
  ];
}

const gone = [remove('Service', 'web'), remove('EndpointSlice', 'web-1')];

/** Writes of a kind end so. */
function onWrite(kind: string, fault: Fault) {
  return (call: KernelCall) => (writeKind(call) === kind ? fault : undefined);
}

const lost = [
  ['ENOBUFS', 'ClusterIP'],
  ['ENOBUFS', 'NodePort'],
  ['ETIMEDOUT', 'ClusterIP'],
  ['ETIMEDOUT', 'NodePort'],
] as const;

describe('a virtual server that was made, and the answer lost', () => {
  test.each(lost)('goes with its Service: %s, %s', async (code, type) => {
    const { node, faults, empty } = await start();
    faults.next = onWrite('addVirtualServer', { code, isDone: true });
    node.stand.report(...web(type));
    await node.stand.settle(20);
    faults.end();
    node.stand.report(...gone);
    await node.stand.settle(minutes(2));
    expect(node.kernel.dump()).toBe(empty);
  });

  test.each(lost)('is known after a restart: %s, %s', async (code, type) => {
    const { node, faults, empty } = await start();
    faults.next = onWrite('addVirtualServer', { code, isDone: true });
    node.stand.report(...web(type));
    await node.stand.settle(20);
    node.stand.report(...gone);
    await node.stand.settle(20);
    faults.end();
    await node.restart([]);
    await node.stand.settle(minutes(2));
    expect(node.kernel.dump()).toBe(empty);
  });
});

test.each(lost)(
  'a virtual server whose deletion failed is known after a restart: %s, %s',
  async (code, type) => {
    const { node, faults, empty } = await start();
    node.stand.report(...web(type));
    await node.stand.settle(seconds(1));
    faults.next = onWrite('deleteVirtualServer', { code, isDone: false });
    node.stand.report(...gone);
    await node.stand.settle(seconds(30));
    expect(faults.struck).toBeGreaterThan(0);
    faults.end();
    await node.restart([]);
    await node.stand.settle(minutes(2));
    expect(node.kernel.dump()).toBe(empty);
  },
);

test.each(['ClusterIP', 'NodePort'] as const)(
  'a virtual server does not stand without what tells it as ours: %s',
  async (type) => {
    const { node, faults, empty } = await start();
    faults.next = (call) =>
      ['addEntry', 'bindAddress'].includes(writeKind(call))
        ? { code: 'EBUSY', isDone: false }
        : undefined;
    node.stand.report(...web(type));
    await node.stand.settle(20);
    await node.kill();
    faults.end();
    await node.restart([]);
    await node.stand.settle(minutes(2));
    expect(node.kernel.dump()).toBe(empty);
  },
);
