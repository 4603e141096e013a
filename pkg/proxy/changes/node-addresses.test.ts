import { afterEach, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import type { FaultyNode } from '../../../test/support/faults/faulty-node.ts';
import { scriptedNode } from '../../../test/support/faults/scripted-faults.ts';
import { endpoint, service, servicePort, slice } from '../../../test/support/objects.ts';
import { setService, setSlice } from '../../../test/support/proxier.ts';
import { seconds } from '../../runner/clock.ts';

// A node gets an address, or loses it, at a moment when it cannot be read: the audit that follows serves the node ports there.

const nodes: FaultyNode[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

const other = { link: 'eth0', address: ip('192.168.0.11'), prefixLength: 24 };

async function start() {
  const { node, faults } = await scriptedNode();
  nodes.push(node);
  node.stand.tell(
    setService(service({ type: 'NodePort', ports: [servicePort({ nodePort: 30_080 })] })),
    setSlice(slice([endpoint('10.0.0.1')])),
  );
  await node.stand.settle(seconds(1));
  const served = () => node.kernel.ipvs.dump().includes('192.168.0.11:30080');
  return { node, faults, served };
}

test('addresses that cannot be read when they change are served after the next audit', async () => {
  const { node, faults, served } = await start();
  faults.next = ({ name }) =>
    name === 'links.addresses' ? { code: 'EBUSY', isDone: false } : undefined;
  node.kernel.links.addAddress(other);
  await node.stand.settle();
  expect(faults.struck).toBeGreaterThan(0);
  faults.end();
  await node.stand.settle(seconds(2));
  expect(served()).toBe(true);
  faults.next = ({ name }) =>
    name === 'links.hasLink' ? { code: 'EINTR', isDone: false } : undefined;
  node.kernel.links.removeAddress(other);
  await node.stand.settle();
  faults.end();
  // A virtual server on its way out, whose address is gone, does not wait for its clients.
  await node.stand.settle(seconds(10));
  expect(served()).toBe(false);
});
