import { afterEach, describe, expect, test } from 'vitest';
import type { ErrnoCode } from '../../pkg/errno/errno.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip } from '../support/addresses.ts';
import { type KernelCall, writeKind } from '../support/faults/fault.ts';
import type { FaultyNode } from '../support/faults/faulty-node.ts';
import { scriptedNode } from '../support/faults/scripted-faults.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { setService, setSlice } from '../support/proxier.ts';

// One Service that the kernel refuses for ever, beside others that it refuses once.

const nodes: FaultyNode[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

/** A Service of its own address with one endpoint. */
function report({ stand }: FaultyNode, { name, last }: { name: string; last: number }): void {
  stand.report(
    setService(service({ name, clusterIPs: [ip(`172.30.0.${last}`)] })),
    setSlice(slice([endpoint(`10.0.0.${last}`)], { serviceName: name, name: `${name}-1` })),
  );
}

/** Whether a write is about the address of a Service, or of its endpoint. */
function concerns({ arguments: [write] }: KernelCall, last: number): boolean {
  return new RegExp(`"(172[.]30|10[.]0)[.]0[.]${last}"`).test(JSON.stringify(write));
}

/** A node on which some kind of write for `shop/poison` never succeeds, after some minutes of that. */
async function poisoned(kind: string, code: ErrnoCode) {
  const { node, faults } = await scriptedNode();
  nodes.push(node);
  const refused = { at: new Set<number>() };
  const refuse = (call: KernelCall) => {
    if (writeKind(call) !== kind || !concerns(call, 9)) return undefined;
    refused.at.add(node.clock.now());
    return { code, isDone: false };
  };
  faults.next = refuse;
  report(node, { name: 'poison', last: 9 });
  await node.stand.settle(minutes(2));
  return { node, faults, refused, refuse };
}

const kinds = [
  ['addRealServer', 'EINVAL'],
  ['addRealServer', 'EBUSY'],
  ['addVirtualServer', 'ENOENT'],
  ['addVirtualServer', 'EPERM'],
  ['addEntry', 'ENOSPC'],
  ['bindAddress', 'ENOBUFS'],
] as const;

function isPassing(code: ErrnoCode): boolean {
  return ['EBUSY', 'ENOBUFS', 'ENOENT'].includes(code);
}

describe('a Service that can never succeed', () => {
  test.each(kinds)('does not delay the retry of another one: %s is %s', async (kind, code) => {
    const { node, faults, refuse } = await poisoned(kind, code);
    let isFirst = true;
    faults.next = (call) => {
      const isVictims = writeKind(call) === 'addVirtualServer' && concerns(call, 77);
      if (!isVictims || !isFirst) return refuse(call);
      isFirst = false;
      return { code: 'EBUSY', isDone: false };
    };
    report(node, { name: 'victim', last: 77 });
    await node.stand.settle();
    expect(isFirst).toBe(false);
    await node.stand.settle(200);
    expect(node.kernel.ipvs.dump()).toContain('-a -t 172.30.0.77:80 -r 10.0.0.77:8080');
  });

  test.each(kinds)('is said once a minute, if so often: %s is %s', async (kind, code) => {
    const { node } = await poisoned(kind, code);
    // A moment before every line is due again.
    await node.stand.settle(minutes(10) - 1);
    expect(node.watch.repetitions).toEqual([]);
    expect(node.watch.unasked).toBeLessThanOrEqual(40);
  });

  test.each(kinds)('is tried ever more rarely: %s is %s', async (kind, code) => {
    const { node, refused } = await poisoned(kind, code);
    refused.at.clear();
    await node.stand.settle(minutes(10));
    expect(refused.at.size).toBeGreaterThan(0);
    // A retry every half minute, and each audit's.
    expect(refused.at.size).toBeLessThanOrEqual(50);
  });

  test.each(kinds)('works in the end, once the kernel takes it: %s is %s', async (kind, code) => {
    const { node, faults } = await poisoned(kind, code);
    faults.end();
    await node.stand.settle(minutes(isPassing(code) ? 1 : 10));
    expect(node.kernel.dump()).toContain('-a -t 172.30.0.9:80 -r 10.0.0.9:8080');
    expect(node.kernel.links.dump()).toContain('172.30.0.9');
  });

  test('with another failing at the same time each keeps its own pace', async () => {
    const { node, faults, refuse } = await poisoned('addRealServer', 'EINVAL');
    const times: number[] = [];
    faults.next = (call) => {
      const isOther = writeKind(call) === 'addVirtualServer' && concerns(call, 77);
      if (!isOther) return refuse(call);
      times.push(node.clock.now());
      return { code: 'EBUSY', isDone: false };
    };
    report(node, { name: 'other', last: 77 });
    await node.stand.settle(seconds(5));
    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(pauses.length).toBeGreaterThanOrEqual(4);
    expect(pauses[0]).toBeLessThanOrEqual(200);
    // An audit may try in between.
    expect(Math.max(...pauses)).toBeGreaterThanOrEqual(1600);
    expect(pauses.length).toBeLessThanOrEqual(8);
  });
});
