import { afterEach, describe, expect, test } from 'vitest';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip } from '../support/addresses.ts';
import { type Fault, type KernelCall, writeKind } from '../support/faults/fault.ts';
import type { FaultyNode } from '../support/faults/faulty-node.ts';
import { scriptedNode } from '../support/faults/scripted-faults.ts';
import { endpoint, service, servicePort, slice } from '../support/objects.ts';
import { remove, setService, setSlice } from '../support/proxier.ts';

// Each write of a Service that comes and goes fails once. test/proxier/lost-answers.test.ts has the writes that matter by name.

const nodes: FaultyNode[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

const web = [
  setService(
    service({
      type: 'NodePort',
      clusterIPs: [ip('172.30.0.1'), ip('fd00:172:30::1')],
      ports: [servicePort({ nodePort: 30_080 })],
    }),
  ),
  setSlice(slice([endpoint('10.0.0.1', { nodeName: 'here' }), endpoint('10.0.0.2')])),
];
const gone = [remove('Service', 'web'), remove('EndpointSlice', 'web-1')];

/** The nth write fails, and no other one. */
function onNth(nth: number, fault: Fault) {
  let count = 0;
  return (call: KernelCall) => (writeKind(call) !== '' && count++ === nth ? fault : undefined);
}

/** Makes `shop/web` and takes it away, with one write that fails. What is left then, and whether there were so many writes at all. */
async function throughOneFault(
  nth: number,
  { fault, isKilled }: { fault: Fault; isKilled: boolean },
): Promise<{ hasStruck: boolean; left: string; empty: string }> {
  const { node, faults } = await scriptedNode();
  nodes.push(node);
  const empty = node.kernel.dump();
  faults.next = onNth(nth, fault);
  node.stand.report(...web);
  await node.stand.settle(20);
  node.stand.report(...gone);
  await node.stand.settle(isKilled ? 20 : seconds(10));
  faults.end();
  if (isKilled) await node.restart([]);
  for (let waited = 0; waited < minutes(2) && node.kernel.dump() !== empty; waited += seconds(10))
    await node.stand.settle(seconds(10));
  return { hasStruck: faults.struck > 0, left: node.kernel.dump(), empty };
}

/** The writes whose failure leaves something. */
async function leftBy(isDone: boolean, isKilled: boolean): Promise<readonly number[]> {
  const found: number[] = [];
  for (let nth = 0; ; nth++) {
    const fault: Fault = { code: 'ENOBUFS', isDone };
    const { hasStruck, left, empty } = await throughOneFault(nth, { fault, isKilled });
    if (!hasStruck) {
      expect(nth).toBeGreaterThan(20);
      return found;
    }
    if (left !== empty) found.push(nth);
  }
}

describe('one write that fails while a Service comes and goes leaves nothing', () => {
  test('if its answer is lost', async () => {
    expect(await leftBy(true, false)).toEqual([]);
  });

  test('if it is refused', async () => {
    expect(await leftBy(false, false)).toEqual([]);
  });

  test('if its answer is lost and the program is killed', async () => {
    expect(await leftBy(true, true)).toEqual([]);
  });

  test('if it is refused and the program is killed', async () => {
    expect(await leftBy(false, true)).toEqual([]);
  });
});
