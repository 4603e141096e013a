import type { KubeObject } from '@kube-proxy-ipvs/test-apiserver/objects';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openNode } from '../../cmd/kube-proxy/open-node.ts';
import { effective } from '../../pkg/config/effective.ts';
import { load } from '../../pkg/config/load.ts';
import type { Change } from '../../pkg/kube/types.ts';
import { silentLogger } from '../../pkg/log/memory.ts';
import { preview } from '../../pkg/preview/preview.ts';
import { printOperation, type SingleOperation } from '../../pkg/proxy/plan/operation.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
import { readState } from '../support/kernel-state.ts';
import { ManifestFile } from '../support/manifests.ts';
import { createNamespace, type Namespace } from '../support/namespace.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { bundled } from '../support/program.ts';
import { proxierSettings } from '../support/proxier-settings.ts';
import { restoreState } from '../support/restore-state.ts';
import {
  changesOfExample,
  objectsOfExample,
  stateOfExample,
  upstreamStories,
} from '../support/upstream-examples.ts';

// On nodes that upstream's binary left, `kube-proxy plan` says what a start then does, operation by operation, and changes nothing.

let node: Namespace;

beforeEach(() => {
  node = createNamespace();
  node.run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0-peer');
  node.run('ip', 'addr', 'add', '192.168.7.10/24', 'dev', 'eth0');
  node.run('ip', 'addr', 'add', '2001:db8:7::10/64', 'dev', 'eth0', 'nodad');
  node.run('ip', 'link', 'set', 'eth0', 'up');
});

afterEach(() => node.remove());

/** Time stands still, so that on a slow machine nothing is due before the first sync is over: deletions wait for five seconds. */
const clock = { ...systemClock, now: () => 0 };

/** What the first sync of a start would do. */
async function previewed(changes: readonly Change[]): Promise<readonly string[]> {
  const leave = node.enter();
  const config = effective(load({ values: {}, removed: [] }, undefined).settings, 'here');
  const opened = openNode({ config, log: silentLogger });
  try {
    const { operations } = await preview({
      node: opened.node,
      source: {
        run: async (onChange, signal) => {
          for (const change of changes) onChange(change);
          for (const kind of ['Service', 'EndpointSlice', 'Node'] as const)
            onChange({ type: 'synced', kind });
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        },
      },
      settings: proxierSettings,
      serviceOptionsOf: undefined,
      clock,
      log: silentLogger,
      signal: new AbortController().signal,
    });
    return operations.map(({ operation }) => printOperation(operation));
  } finally {
    opened.close();
    leave();
  }
}

/** What the first sync of a start does. Drains that end meanwhile are no part of it. */
async function started(changes: readonly Change[]): Promise<readonly string[]> {
  const operations: SingleOperation[] = [];
  const proxy: NodeProxy = new NodeProxy(node, {
    clock,
    onApplied: (applied) => {
      if (!proxy.reports.isFirstSyncDone) operations.push(...applied);
    },
  });
  proxy.report(...changes);
  await proxy.settled();
  await proxy.stop();
  return operations
    .map(printOperation)
    .filter((line) => !/^[=-](rules|leftovers|flows)/.test(line));
}

const firstSteps = [...upstreamStories.values()].flatMap((steps) => steps.slice(0, 1));

test.each(firstSteps)(
  'over what upstream made of %s, a start does what was said',
  async (example) => {
    restoreState(node, stateOfExample(example));
    const was = readState(node);
    const said = await previewed(changesOfExample(example));
    expect(readState(node)).toBe(was);
    expect(await started(changesOfExample(example))).toEqual(said);
    expect(await previewed(changesOfExample(example))).toEqual([]);
  },
);

test('the command says it for people and for programs, and by its status', async () => {
  const [example = ''] = firstSteps;
  restoreState(node, stateOfExample(example));
  const was = readState(node);
  const manifests = new ManifestFile();
  manifests.write(objectsOfExample(example) as KubeObject[]);
  const program = await bundled();
  const plan = (...argv: readonly string[]) =>
    node.run(
      ...['sh', '-c', '"$@"; echo "status $?"', 'sh', process.execPath, program, 'plan'],
      ...[manifests.flag, '--hostname-override=here', '--cluster-cidr=10.0.0.0/8', ...argv],
    );
  const [json = '', status] = plan('-o', 'json').split('status ');
  expect(status).toBe('2\n');
  expect(JSON.parse(json)).toMatchObject({
    version: 1,
    node: 'here',
    isNothingToDo: false,
    services: [{ service: '', counts: { createSet: expect.any(Number) } }],
  });
  expect(plan()).toMatch(
    /^Node here\n[^]*\n\nA start carries out \d+ operations; it cuts 0 connections and drains 0[.]\nstatus 2\n$/,
  );
  manifests.remove();
  expect(readState(node)).toBe(was);
});
