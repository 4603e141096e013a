import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import {
  endpoint,
  nodeContext as node,
  service,
  servicePort,
  slice,
} from '../../../test/support/objects.ts';
import { virtualServer } from '../../../test/support/plan-input.ts';
import { entryKey } from '../../ipset/ipset.ts';
import { virtualServerKey } from '../../ipvs/ipvs.ts';
import { Yielder } from '../../runner/yielder.ts';
import { footprint } from '../desired/footprints.ts';
import { Keys } from '../desired/keys.ts';
import { Ledger } from '../desired/ledger.ts';
import { setName } from '../desired/sets.ts';
import { Mirror } from '../observed/mirror.ts';
import { isOnePart, planParts, singleParts } from './key-parts.ts';

/** What a Service with so many ports and endpoints touches. */
function touchedBy(size: { ports: number; endpoints: number }): { ledger: Ledger; keys: Keys } {
  const ledger = new Ledger();
  const ports = Array.from({ length: size.ports }, (_, index) =>
    servicePort({ name: `p${index}`, port: 1000 + index }),
  );
  const endpoints = Array.from({ length: size.endpoints }, (_, index) =>
    endpoint(`10.0.${index >> 8}.${index & 255}`),
  );
  const slices = [slice(endpoints, { ports })];
  const objects = { service: service({ ports }), slices, vanished: [] };
  const keys = ledger.set(footprint(objects, node));
  return { ledger, keys };
}

async function partsOf({ ledger, keys }: { ledger: Ledger; keys: Keys }): Promise<readonly Keys[]> {
  const yielder = new Yielder(() => 0);
  const parts: Keys[] = [];
  for await (const part of planParts(keys, { ledger, mirror: new Mirror(), yielder }))
    parts.push(part);
  return parts;
}

test.each([
  { ports: 3, endpoints: 10, isOne: true },
  { ports: 64, endpoints: 10, isOne: true },
  { ports: 65, endpoints: 10, isOne: false },
  { ports: 40, endpoints: 60, isOne: false },
  { ports: 1, endpoints: 2_500, isOne: true },
])('$ports ports with $endpoints endpoints are one part: $isOne', ({ isOne, ...size }) => {
  const { ledger, keys } = touchedBy(size);
  expect(isOnePart(keys, { ledger, mirror: new Mirror() })).toBe(isOne);
});

test('an address comes with the last of the virtual servers behind it, and each of these once', async () => {
  const parts = await partsOf(touchedBy({ ports: 200, endpoints: 0 }));
  expect(
    parts.map(({ virtualServers, addresses }) => [virtualServers.size, addresses.size]),
  ).toEqual([
    [0, 0],
    [64, 0],
    [64, 0],
    [64, 0],
    [8, 1],
  ]);
});

test('virtual servers with many real servers make smaller parts', async () => {
  const parts = await partsOf(touchedBy({ ports: 50, endpoints: 200 }));
  const sizes = parts.map(({ virtualServers }) => virtualServers.size).filter((size) => size > 0);
  expect(sizes).toEqual([10, 10, 10, 10, 10]);
});

test('single real servers stay single where virtual servers are planned one by one', () => {
  const keys = new Keys();
  const id = { address: ip('10.0.0.1'), port: 8080 };
  const [one, other] = [80, 81].map((port) =>
    virtualServerKey({ address: ip('172.30.0.1'), protocol: 'TCP', port }),
  ) as [string, string];
  keys.addVirtualServer(one);
  keys.addRealServers(other, [id]);
  expect(
    [...singleParts(keys, { ledger: new Ledger(), mirror: new Mirror() })].map(
      ({ virtualServers, realServers }) => [
        [...virtualServers],
        [...realServers].map(([key, ids]) => [key, [...ids.values()]]),
      ],
    ),
  ).toEqual([
    [[one], []],
    [[], [[other, [id]]]],
  ]);
});

test('one by one, what is denied stays denied until virtual servers and their addresses are gone', () => {
  const bound = ip('172.30.0.1');
  const unbound = ip('203.0.113.9');
  const ledger = new Ledger();
  const mirror = new Mirror();
  const keys = new Keys();
  const sets = ['loadBalancerSourceIp', 'loadBalancerFw', 'ipvsIps', 'clusterIp'] as const;
  for (const id of sets) {
    const entry = { type: 'hash:ip', ip: bound } as const;
    keys.addEntry(setName(id, 'IPv4'), { key: entryKey(entry), entry });
  }
  for (const address of [bound, unbound]) {
    const held = virtualServer({ address });
    mirror.recordWrite({ kind: 'addVirtualServer', virtualServer: held });
    keys.addVirtualServer(virtualServerKey(held));
  }
  mirror.recordAddress(bound, { isBound: true });
  keys.addAddress(bound);
  const parts = [...singleParts(keys, { ledger, mirror })];
  expect(
    parts.flatMap(({ entries, virtualServers, addresses }) => [
      ...[...virtualServers].map((key) => mirror.virtualServers.get(key)?.virtualServer.address),
      ...entries.keys(),
      ...[...addresses].map((address) => `address ${address}`),
    ]),
  ).toEqual([
    unbound,
    'KUBE-CLUSTER-IP',
    bound,
    `address ${bound}`,
    'KUBE-LOAD-BALANCER-FW',
    'KUBE-IPVS-IPS',
    'KUBE-LOAD-BALANCER-SOURCE-IP',
  ]);
});
