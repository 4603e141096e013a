import { expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import type { VirtualServer } from '../ipvs/ipvs.ts';
import { unknownPod } from '../proxy/desired/pod-identity.ts';
import { masqueraded } from '../proxy/desired/real-servers.ts';
import { isNothingToDo, type NodePreview, previewJson, printPreview } from './print.ts';

const virtualServer: VirtualServer = {
  address: ip('10.96.0.10'),
  protocol: 'TCP',
  port: 80,
  scheduler: 'rr',
  flags: 0,
  timeout: 0,
  prefixLength: 32,
  persistenceEngine: '',
};
const realServer = masqueraded({ address: ip('10.0.0.1'), port: 8080, weight: 0 });

const nothing: NodePreview = {
  node: 'worker-1',
  operations: [],
  rules: [],
  leftovers: [],
  held: [],
  deletedFlows: [],
  connections: [],
  undecided: { virtualServers: 0, realServers: 0 },
  settings: [],
  modules: [],
};

const something: NodePreview = {
  ...nothing,
  modules: ['ip_vs_rr'],
  settings: [{ path: 'net/ipv4/vs/conntrack', before: undefined, value: '1' }],
  rules: [
    {
      family: 'IPv4',
      added: ['nat -A ONE', 'nat -A TWO'],
      removed: ['nat -A OLD'],
      isReordered: false,
    },
    { family: 'IPv6', added: [], removed: [], isReordered: true },
  ],
  leftovers: [{ kind: 'deleteNftTable', table: { family: 'IPv4', name: 'kube-proxy' } }],
  held: ['nat KUBE-SVC-ABC'],
  operations: [
    { service: '', operation: { kind: 'makeDevice' } },
    { service: 'shop/web', operation: { kind: 'addVirtualServer', virtualServer } },
    {
      service: 'shop/web',
      operation: { kind: 'drainRealServer', virtualServer, realServer, podUid: unknownPod },
    },
  ],
  connections: [{ effect: 'drained', virtualServer, realServer, connections: 3 }],
  undecided: { virtualServers: 2, realServers: 5 },
};

test('for people, in sums', () => {
  expect(printPreview(something, { isWhole: false })).toBe(`Node worker-1

Kernel modules that are loaded:
  ip_vs_rr

Kernel settings:
  net/ipv4/vs/conntrack: unset -> 1

Rules:
  IPv4: 2 lines are added, 1 go
  IPv6: the same rules in another order

Left by another mode of kube-proxy, and removed:
  nf_tables table ip kube-proxy

Left by another mode of kube-proxy, and kept, as rules of others lead there:
  nat KUBE-SVC-ABC

Operations:
  1 device added
  1 virtual server added
  1 real server drained

Services:
  (shared): 1 device added
  shop/web: 1 virtual server added, 1 real server drained

Connections:
  10.96.0.10:80/TCP 10.0.0.1:8080: 3 drained

Kept until a second read of the API omits it too:
  2 virtual servers, 5 real servers

A start carries out 3 operations; it cuts 0 connections and drains 3.
`);
});

test('for people, whole', () => {
  const printed = printPreview(something, { isWhole: true });
  expect(printed).toContain(
    '  shop/web: 1 virtual server added, 1 real server drained\n    +vs 10.96.0.10:80/TCP rr\n    ~rs ',
  );
  expect(printed).toContain(
    '  IPv4: 2 lines are added, 1 go\n    - nat -A OLD\n    + nat -A ONE\n',
  );
});

test('many Services are cut short, and it says how to see them all', () => {
  const operations = Array.from({ length: 60 }, (_, index) => ({
    service: `shop/${String(index).padStart(2, '0')}`,
    operation: { kind: 'makeDevice' } as const,
  }));
  const printed = printPreview({ ...nothing, operations }, { isWhole: false });
  expect(printed).toContain('shop/49: 1 device added\n  and 10 more (-o wide has all)\n');
  expect(printed).not.toContain('shop/50');
});

test('for programs', () => {
  expect(previewJson(something)).toMatchObject({
    version: 1,
    node: 'worker-1',
    isNothingToDo: false,
    services: [
      { service: '', counts: { makeDevice: 1 }, operations: ['+device'] },
      { service: 'shop/web', counts: { addVirtualServer: 1, drainRealServer: 1 } },
    ],
    connections: [{ effect: 'drained', place: '10.96.0.10:80/TCP 10.0.0.1:8080', connections: 3 }],
    undecided: { virtualServers: 2, realServers: 5 },
  });
});

test('a node with everything', () => {
  expect(isNothingToDo(nothing)).toBe(true);
  expect(printPreview(nothing, { isWhole: false })).toBe(
    'Node worker-1\n\nNothing to do: the node is as it should be.\n',
  );
});

// One thing of a kind is something to do. Chains that stay and connections are no change of their own.
test.each(['operations', 'rules', 'leftovers', 'settings', 'modules', 'undecided'] as const)(
  '%s alone are something to do',
  (key) => {
    expect(isNothingToDo({ ...nothing, [key]: something[key] })).toBe(false);
  },
);

test('text of others has no effect on a terminal', () => {
  const printed = printPreview({ ...nothing, held: ['nat \u001b[2J'] }, { isWhole: false });
  expect(printed).toContain('nat \ufffd[2J');
});

test('on a terminal the end says by its colour whether there is something to do', () => {
  const isColoured = true;
  expect(printPreview(nothing, { isWhole: false, isColoured })).toContain(
    '\u001b[32mNothing to do',
  );
  expect(printPreview(something, { isWhole: false, isColoured })).toContain('\u001b[33mA start');
});
