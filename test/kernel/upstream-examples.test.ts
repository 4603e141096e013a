import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Reducer } from '../../pkg/kube/objects/reduce.ts';
import { readState } from '../support/kernel-state.ts';
import { createNamespace, type Namespace } from '../support/namespace.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import {
  changesOfExample,
  deletionsOfExample,
  modernStateOfExample,
  upstreamStories,
} from '../support/upstream-examples.ts';

// From the objects that upstream's binary was given, the state that upstream's binary made.

describe.each([...upstreamStories])('upstream example %s', (_, steps) => {
  const reducer = new Reducer();
  let node: Namespace;
  let proxy: NodeProxy;

  beforeAll(() => {
    node = createNamespace();
    node.run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0-peer');
    node.run('ip', 'addr', 'add', '192.168.7.10/24', 'dev', 'eth0');
    node.run('ip', 'addr', 'add', '2001:db8:7::10/64', 'dev', 'eth0', 'nodad');
    node.run('ip', 'link', 'set', 'eth0', 'up');
    proxy = new NodeProxy(node);
  });

  afterAll(async () => {
    await proxy.stop();
    node.remove();
  });

  test.each(steps)('%s', async (example) => {
    proxy.report(...changesOfExample(example, reducer), ...deletionsOfExample(example));
    // Vanished endpoints and retired virtual servers take their time.
    await proxy.settled();
    const expected = modernStateOfExample(example);
    await expect.poll(() => readState(node).trim(), { interval: 1_000 }).toBe(expected);
  });
});
