import { expect, test } from 'vitest';
import { minutes } from '../../../pkg/runner/clock.ts';
import { endpoint, service, slice } from '../objects.ts';
import { setService, setSlice } from '../proxier.ts';
import { writeKind } from './fault.ts';
import { FaultyNode } from './faulty-node.ts';
import { scriptedNode } from './scripted-faults.ts';

const web = [setService(service()), setSlice(slice([endpoint('10.0.0.1')]))];

test('writes of a kind fail as long as the script says so', async () => {
  const { node, faults } = await scriptedNode();
  faults.next = (call) =>
    writeKind(call) === 'addVirtualServer' ? { code: 'EBUSY', isDone: false } : undefined;
  node.stand.report(...web);
  await node.stand.settle(minutes(1));
  expect(faults.struck).toBeGreaterThan(1);
  expect(node.kernel.ipvs.dump()).toBe('');
  faults.end();
  await node.stand.settle(minutes(2));
  expect(node.kernel.ipvs.dump()).toContain('10.0.0.1:8080');
  await node.stop();
});

test('everything else that may throw is asked whether it does', async () => {
  let asked = 0;
  const node = new FaultyNode({
    draw: () => undefined,
    strikes: () => {
      asked++;
      return false;
    },
  });
  await node.stand.sync();
  const before = asked;
  node.stand.report(...web);
  await node.stand.settle();
  expect(asked).toBeGreaterThan(before + 10);
  await node.stop();
});

test('nothing that a killed program does reaches the kernel', async () => {
  const { node } = await scriptedNode();
  const empty = node.kernel.dump();
  node.stand.report(...web);
  await node.kill();
  await node.stand.settle(minutes(10));
  expect(node.kernel.dump()).toBe(empty);
});

test('a program that starts again takes over what it finds', async () => {
  const { node } = await scriptedNode();
  node.stand.report(...web);
  await node.stand.settle();
  const before = node.kernel.dump();
  const first = node.stand;
  node.kernel.ipvs.resetCalls();
  await node.restart(web);
  expect(node.stand).not.toBe(first);
  expect(node.kernel.dump()).toBe(before);
  expect(node.kernel.ipvs.calls).toMatchObject({ addRealServer: 0, updateRealServer: 0 });
  await node.stop();
});
