import { expect, test } from 'vitest';
import type { Change, Source } from '../../pkg/kube/types.ts';
import { silentLogger } from '../../pkg/log/memory.ts';
import type { NodeReader } from '../../pkg/preview/node.ts';
import { type Preview, preview } from '../../pkg/preview/preview.ts';
import { kernelOf } from '../../pkg/proxy/options.ts';
import { printOperation, type SingleOperation } from '../../pkg/proxy/plan/operation.ts';
import { manualClock } from '../../pkg/runner/manual-clock.ts';
import { ip } from '../support/addresses.ts';
import { kernelOfExample } from '../support/fake-state.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { FakeKernel, Stand, setService, setSlice } from '../support/proxier.ts';
import { proxierSettings } from '../support/proxier-settings.ts';
import {
  changesOfExample,
  stateOfExample,
  upstreamExamples,
} from '../support/upstream-examples.ts';

// What a preview says of a start is what the start then does, and a preview changes nothing.

const web = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;
const one = endpoint('10.0.0.1');
const two = endpoint('10.0.0.2');
const three = endpoint('10.0.0.3');
const objects = [setService(service()), setSlice(slice([one, two]))];
const synced = (['Service', 'EndpointSlice', 'Node'] as const).map(
  (kind): Change => ({ type: 'synced', kind }),
);

/** A source that reports these objects and nothing else. */
function sourceOf(changes: readonly Change[]): Source {
  return {
    async run(onChange, signal) {
      for (const change of [...changes, ...synced]) onChange(change);
      if (!signal.aborted)
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
  };
}

async function previewOf(node: NodeReader, changes: readonly Change[] = objects): Promise<Preview> {
  const clock = manualClock();
  const running = preview({
    node,
    source: sourceOf(changes),
    settings: proxierSettings,
    serviceOptionsOf: undefined,
    clock,
    log: silentLogger,
    signal: new AbortController().signal,
  });
  await clock.advance(60_000);
  return await running;
}

/** A node on which a proxier has carried out some changes, and then ended. */
async function nodeAfter(...changes: readonly Change[]): Promise<FakeKernel> {
  const stand = new Stand();
  stand.report(...changes);
  await stand.sync();
  await stand.stop();
  return stand.kernel;
}

/** The operations that a start carries out. */
async function startOn(kernel: FakeKernel, changes: readonly Change[]): Promise<readonly string[]> {
  const operations: SingleOperation[] = [];
  const stand = new Stand({ kernel, onApplied: (applied) => void operations.push(...applied) });
  stand.report(...changes);
  await stand.sync();
  await stand.stop();
  const requests = /^[=-](rules|leftovers|flows)/;
  return operations.map(printOperation).filter((line) => !requests.test(line));
}

const printed = ({ operations }: Preview) =>
  operations.map(({ operation }) => printOperation(operation));

test.each([
  { node: 'an empty one', before: [] },
  { node: 'one that has it all', before: objects },
  { node: 'one with other endpoints', before: [objects[0], setSlice(slice([two, three]))] },
  {
    node: 'one with another Service',
    before: [setService(service({ name: 'old', clusterIPs: [ip('172.30.0.9')] }))],
  },
])('says of $node what a start does, and writes nothing', async ({ before }) => {
  const kernel = await nodeAfter(...(before as Change[]));
  const was = kernel.dump();
  const found = await previewOf(kernel);
  expect(kernel.dump()).toBe(was);
  expect(printed(found)).toEqual(await startOn(kernel, objects));
});

const combinations = upstreamExamples.flatMap((left) =>
  upstreamExamples.map((came) => ({ left, came })),
);

test.each(combinations)(
  'says what a start with the objects of $came does on a node that upstream left as $left',
  async ({ left, came }) => {
    const kernel = kernelOfExample(stateOfExample(left));
    const was = kernel.dump();
    const found = await previewOf(kernel, changesOfExample(came));
    expect(kernel.dump()).toBe(was);
    expect(printed(found)).not.toEqual([]);
    expect(printed(found)).toEqual(await startOn(kernel, changesOfExample(came)));
  },
);

test('says what is for which Service', async () => {
  const { operations } = await previewOf(new FakeKernel());
  const ofWeb = operations.filter(({ service: name }) => name === 'shop/web');
  expect(ofWeb.map(({ operation }) => printOperation(operation))).toContain(
    '+rs 172.30.0.1:80/TCP 10.0.0.1:8080 weight 1',
  );
  expect(operations.find(({ operation }) => operation.kind === 'makeDevice')?.service).toBe('');
});

test('has nothing to say of a node that has it all', async () => {
  const found = await previewOf(await nodeAfter(...objects));
  expect(found).toEqual({
    operations: [],
    rules: [],
    leftovers: [],
    held: [],
    deletedFlows: [],
    connections: [],
    undecided: { virtualServers: 0, realServers: 0 },
  });
});

test('says which rules are missing and which are too many', async () => {
  const kernel = await nodeAfter(...objects);
  kernel.firewall.flushChain('IPv4', { table: 'nat', name: 'KUBE-MARK-MASQ' });
  kernel.firewall.insertRule('IPv6', { table: 'filter', rule: '-A KUBE-FORWARD -j DROP' });
  const { rules } = await previewOf(kernel);
  expect(rules).toEqual([
    {
      family: 'IPv4',
      added: [expect.stringMatching('-A KUBE-MARK-MASQ')],
      removed: [],
      isReordered: false,
    },
    { family: 'IPv6', added: [], removed: ['-A KUBE-FORWARD -j DROP'], isReordered: false },
  ]);
});

test('says what another mode left, and that it goes', async () => {
  const kernel = await nodeAfter();
  kernel.firewall.insertRule('IPv4', { table: 'nat', rule: '-A KUBE-SVC-ABC -j RETURN' });
  const { leftovers } = await previewOf(kernel);
  expect(leftovers).toEqual([
    {
      kind: 'removeRules',
      place: { family: 'IPv4', flavour: 'nft' },
      removals: [expect.objectContaining({ table: 'nat', deleted: ['KUBE-SVC-ABC'] })],
    },
  ]);
});

test('counts the connections of a real server that nobody wants any more', async () => {
  const kernel = await nodeAfter(...objects);
  kernel.ipvs.setCounters(web, { address: two.address, port: 8080 }, { activeConnections: 3 });
  const { connections } = await previewOf(kernel, [setService(service()), setSlice(slice([one]))]);
  expect(connections).toMatchObject([{ effect: 'drained', virtualServer: web, connections: 3 }]);
});

test('works where the kernel has nothing loaded', async () => {
  const kernel = new FakeKernel();
  const bare = {
    ...kernelOf(kernel),
    ipvs: undefined,
    ipsets: undefined,
    nftTables: undefined,
    conntrack: undefined,
  };
  const found = await previewOf(bare);
  expect(printed(found)).toEqual(await startOn(kernel, objects));
});

test('ends with the reason of the signal', async () => {
  const silent: Source = {
    run: async (_, signal) =>
      void (await new Promise((resolve) => signal.addEventListener('abort', resolve))),
  };
  const stop = new AbortController();
  const clock = manualClock();
  const running = preview({
    node: new FakeKernel(),
    source: silent,
    settings: proxierSettings,
    serviceOptionsOf: undefined,
    clock,
    log: silentLogger,
    signal: stop.signal,
  });
  await clock.advance(0);
  stop.abort(new Error('no answer within a minute'));
  await expect(running).rejects.toThrow('no answer within a minute');
});
