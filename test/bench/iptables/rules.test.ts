import { expect, test } from 'vitest';
import { clusterPort, clusterPorts, positions } from './cluster.ts';
import { restoreInput } from './iptables-rules.ts';
import { addedInput, changedInput, tableInput } from './nftables-rules.ts';

const size = { services: 3, endpoints: 2 };

/** Chains that rules jump to, and chains that a restore names. */
function chainsOf(input: string): { targets: Set<string>; named: Set<string> } {
  const found = (pattern: RegExp) =>
    new Set([...input.matchAll(pattern)].map(([, name = '']) => name));
  return { targets: found(/-j (KUBE-S(?:VC|EP)-\S+)/g), named: found(/^:(KUBE-S(?:VC|EP)-\S+)/gm) };
}

test('a restore names each chain that it jumps to: one for a Service, one for an endpoint', () => {
  const { targets, named } = chainsOf(restoreInput(clusterPorts(size)));
  expect(named).toEqual(targets);
  expect([...named].filter((name) => name.startsWith('KUBE-SVC-'))).toHaveLength(3);
  expect([...named].filter((name) => name.startsWith('KUBE-SEP-'))).toHaveLength(6);
});

test('a Service is one leading rule, a mark, a choice and two rules for each endpoint', () => {
  const lines = restoreInput(clusterPorts({ services: 1, endpoints: 2 }))
    .split('\n')
    .filter((line) => line.includes('service-0'))
    .map((line) =>
      line.replaceAll(/(SVC|SEP)-\w+/g, '$1').replaceAll(/-m comment --comment "[^"]*" /g, ''),
    );
  expect(lines).toEqual([
    '-A KUBE-SERVICES -p tcp -d 172.30.1.0/32 --dport 80 -j KUBE-SVC',
    '-A KUBE-SVC -p tcp -d 172.30.1.0/32 --dport 80 ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ',
    '-A KUBE-SVC -m statistic --mode random --probability 0.5 -j KUBE-SEP',
    '-A KUBE-SVC -j KUBE-SEP',
    '-A KUBE-SEP -s 10.0.0.1/32 -j KUBE-MARK-MASQ',
    '-A KUBE-SEP -p tcp -j DNAT --to-destination 10.0.0.1:8080',
    '-A KUBE-SEP -s 10.0.0.2/32 -j KUBE-MARK-MASQ',
    '-A KUBE-SEP -p tcp -j DNAT --to-destination 10.0.0.2:8080',
  ]);
});

test('a change writes all leading rules, and the chains of the changed Service alone', () => {
  const all = clusterPorts(size);
  const changed = clusterPort(1, { endpoints: 2, turn: 1 });
  const input = restoreInput(all, [changed]);
  expect(input.match(/^-A KUBE-SERVICES .*-j KUBE-SVC-/gm)).toHaveLength(3);
  expect(chainsOf(input).named.size).toBe(3);
  expect(input).toContain('DNAT --to-destination 10.1.240.1:8080');
  expect(input).not.toContain('10.0.0.3:8080');
});

test('the table of nftables mode leads to each Service by a map', () => {
  const input = tableInput(clusterPorts(size));
  const targets = [...input.matchAll(/: goto (\S+?)[,; ]/g)].map(([, name]) => name);
  expect(targets).toHaveLength(3 + 6);
  for (const name of targets) expect(input).toContain(`  chain ${name} {`);
});

test('nftables mode writes what changed, and nothing of other Services', () => {
  const before = clusterPort(1, { endpoints: 2 });
  const input = changedInput(clusterPort(1, { endpoints: 2, turn: 1 }), before);
  expect(input).toContain('flush chain ip kube-proxy service-');
  expect(input).toContain('dnat to 10.1.240.1:8080');
  expect(input).not.toContain('dnat to 10.0.0.4:8080'); // is there
  expect(addedInput(clusterPort(3, { endpoints: 2 }))).toContain(
    'add element ip kube-proxy cluster-ips { 172.30.1.3 }',
  );
});

test.each([
  [1, { first: 0, middle: 0, last: 0 }],
  [500, { first: 0, middle: 250, last: 499 }],
])('of %i Services the first, the middle and the last are measured', (services, expected) => {
  expect(positions(services)).toEqual(expected);
});
