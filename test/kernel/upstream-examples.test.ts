import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nameOf, Reducer } from '../../pkg/kube/objects/reduce.ts';
import { readState } from '../support/kernel-state.ts';
import { createNamespace, type Namespace } from '../support/namespace.ts';
import { NodeProxy } from '../support/node-proxy.ts';

// From the objects that upstream's binary was given, the state that upstream's binary made (test/fixtures/upstream/README.md).

const folder = new URL('../fixtures/upstream/', import.meta.url);
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.in.json'))
  .sort();
const stories = Map.groupBy(files, (name) => name.split('.')[0] ?? '');

interface Raw {
  readonly kind: string;
}

function kindOf({ kind }: Raw): 'Service' | 'EndpointSlice' {
  return kind === 'Service' ? 'Service' : 'EndpointSlice';
}

/** What upstream's versions after the one that made the example have more, and our own set. */
function modern(example: string): string {
  return example
    .replaceAll(':KUBE-IPVS-FILTER -\n', ':KUBE-IPVS-FILTER -\n:KUBE-IPVS-OUT-FILTER -\n')
    .replaceAll(
      /(-A FORWARD .* -j KUBE-FORWARD\n)/g,
      '$1-A OUTPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-OUT-FILTER\n',
    )
    .replaceAll(
      /(-A KUBE-IPVS-FILTER -m set --match-set (KUBE-6-|KUBE-))EXTERNAL-IP dst,dst -j RETURN\n/g,
      '$&$1EXTERNAL-IP-LOCAL dst,dst -j RETURN\n',
    )
    .replaceAll(
      /^(KUBE-6-|KUBE-)LOAD-BALANCER (hash:ip,port family inet6? maxelem 65536)$/gm,
      '$1IPVS-NO-LOCAL $2\n$&',
    );
}

describe.each([...stories])('upstream example %s', (_, steps) => {
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

  test.each(steps)('%s', async (name) => {
    const { apply = [], delete: gone = [] } = JSON.parse(
      readFileSync(new URL(name, folder), 'utf8'),
    ) as Record<string, Raw[]>;
    for (const object of apply) proxy.report(reducer.change(kindOf(object), object));
    for (const object of gone) {
      const name = nameOf(object);
      if (name !== undefined) proxy.report({ type: 'delete', kind: kindOf(object), name });
    }
    // Vanished endpoints and retired servers take their time.
    await proxy.settled();
    const expected = modern(
      readFileSync(new URL(name.replace('.in.json', '.out.txt'), folder), 'utf8'),
    ).trim();
    await expect.poll(() => readState(node).trim(), { interval: 1_000 }).toBe(expected);
  });
});
