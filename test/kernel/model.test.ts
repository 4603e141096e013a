import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { printedState, readState } from '../support/kernel-state.ts';
import { compared, expectedState } from '../support/model/expected-state.ts';
import { serviceOptionsOf } from '../support/model/stand.ts';
import { aStep, ModelWorld, type Step } from '../support/model/steps.ts';
import { createNamespace } from '../support/namespace.ts';
import { NodeProxy } from '../support/node-proxy.ts';

// What test/properties/model.test.ts and leaks.test.ts ask of a kernel in memory, for a shorter time of the real one: random changes lead
// to the state that is computed from the objects alone, and when everything is deleted nothing is left.

const own = [ip('192.168.0.10'), ip('fd00:192:168::10')];
const namespace = createNamespace();
const model = new ModelWorld(own);
let proxy: NodeProxy;
/** What was there when there were no Services. */
let empty: string;

beforeAll(async () => {
  onNode('link add eth0 type dummy', 'link set eth0 addrgenmode none', 'link set eth0 up');
  onNode('addr add 192.168.0.10/24 dev eth0', 'addr add fd00:192:168::10/64 dev eth0 nodad');
  proxy = new NodeProxy(namespace, { serviceOptionsOf });
  await proxy.settled();
  empty = everything();
});

afterAll(async () => {
  await proxy.stop();
  namespace.remove();
});

function onNode(...commands: readonly string[]): void {
  for (const command of commands) namespace.run('ip', ...command.split(' '));
}

function take(step: Step): void {
  model.take(step);
  if (step.kind === 'change') proxy.report(step.change);
  else if (step.isPresent) onNode(`addr replace ${step.address} dev eth0 nodad`);
  else if (namespace.run('ip', 'addr', 'show', 'to', step.address, 'dev', 'eth0') !== '')
    onNode(`addr del ${step.address} dev eth0`);
}

/** The state in the words of the model. */
function held(): readonly string[] {
  const { ipvs, addresses, sets, IPv4, IPv6 } = printedState(namespace);
  const bound = addresses.split('\n').filter((line) => line.split(/\s+/)[1] === 'kube-ipvs0');
  return compared({
    ipvs,
    sets,
    addresses: bound.map((line) => line.split(/\s+/).slice(2, 4).join(' ')),
    rules: IPv4 + IPv6,
  });
}

/** All that the program makes on a node, and what its work could leave. */
function everything(): string {
  const routes = ['-4', '-6'].map((family) =>
    namespace.run('ip', family, 'route', 'show', 'table', 'all'),
  );
  const flows = namespace.run('cat', '/proc/net/nf_conntrack');
  const sockets = namespace.run('cat', '/proc/net/netlink').split('\n').length;
  return [readState(namespace), ...routes, flows, `netlink sockets: ${sockets}`].join('\n');
}

// Fixed seeds: the machine is slow, and random ones are for the kernel in memory.
test.each([1, 2])(
  'after random changes it holds what the objects alone say (seed %i)',
  async (seed) => {
    for (const step of fc.sample(aStep, { numRuns: 60, seed })) {
      take(step);
      if (step.kind === 'nodeAddress') await proxy.proxier.idle();
    }
    await expect.poll(held).toEqual(expectedState(model.world));
  },
);

async function deleteEverything(): Promise<void> {
  for (const step of model.undoing()) take(step);
  await expect.poll(everything).toBe(empty);
}

test('when everything is deleted nothing is left', deleteEverything);

test('10,000 random changes leave nothing behind, in the kernel or open in the program', async () => {
  const openFiles = () => readdirSync('/proc/self/fd').length;
  const before = openFiles();
  // Addresses of the node come and go by a program each, which takes its time; they are among the steps above.
  const changes = aStep.filter(({ kind }) => kind === 'change');
  for (const [index, step] of fc.sample(changes, { numRuns: 10_000, seed: 5 }).entries()) {
    take(step);
    if (index % 400 === 399) await proxy.proxier.idle();
  }
  await deleteEverything();
  // Programs of iptables may still run, each with a pipe; one that ran before does no more.
  await expect.poll(openFiles).toBeLessThanOrEqual(before);
});
