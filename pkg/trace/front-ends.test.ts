import { describe, expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { type FrontEnd, frontEndState, frontEnds } from '../../test/support/front-ends.ts';
import { FakeFirewall } from '../firewall/fake.ts';
import { type Family, families } from '../ip/address.ts';
import { protocols } from '../ip/protocol.ts';
import { setHeader, setIds, setName } from '../proxy/desired/sets.ts';
import type { Packet } from './packet.ts';
import { type KernelState, kernelState, tracedSet } from './state.ts';
import { trace } from './trace.ts';

// External addresses and those of load balancers, for every client. The expectations are those of the compatibility contract.

const pods = { IPv4: ip('10.0.1.1'), IPv6: ip('fd00:10:0:1::1') } as const;
const nodes = { IPv4: ip('192.168.0.10'), IPv6: ip('fd00:192:168::10') } as const;

async function stateOf(): Promise<KernelState> {
  const firewall = new FakeFirewall();
  const made = { IPv4: frontEndState('IPv4', pods.IPv4), IPv6: frontEndState('IPv6', pods.IPv6) };
  for (const family of families) await firewall.apply(family, made[family].ruleset);
  const addresses = families.flatMap((family) => [
    { link: 'eth0', address: nodes[family], prefixLength: 24 },
    ...made[family].bound.map((address) => ({ link: 'kube-ipvs0', address, prefixLength: 32 })),
  ]);
  const sets = families.flatMap((family) =>
    setIds.map((id) => {
      const entries = made[family].entries.filter(({ set }) => set === id);
      const set = tracedSet(
        setHeader(id, family).type,
        entries.map(({ entry }) => entry),
      );
      return [setName(id, family), set] as const;
    }),
  );
  return kernelState({
    rules: { IPv4: [firewall.dump('IPv4')], IPv6: [firewall.dump('IPv6')] },
    sets: new Map(sets),
    addresses,
    virtualServers: families.flatMap((family) =>
      made[family].virtualServers.map(({ virtualServer, realServer }) => ({
        virtualServer,
        realServers: [realServer],
      })),
    ),
  });
}

const clients = {
  'a client in the ranges': { IPv4: '203.0.113.7', IPv6: '2001:db8:203:113::7', device: 'eth0' },
  'a client outside them': { IPv4: '203.0.113.99', IPv6: '2001:db8:203:113::99', device: 'eth0' },
  'a pod': { IPv4: '10.0.1.2', IPv6: 'fd00:10:0:1::2', device: 'v-pod' },
  'a bridged pod': {
    IPv4: '10.0.1.3',
    IPv6: 'fd00:10:0:1::3',
    device: 'cni0',
    bridgePort: 'v-pod',
  },
  'the node': undefined,
} as const;

type Client = keyof typeof clients;

function packetOf(
  client: Client,
  { addresses }: FrontEnd,
  family: Family,
): Omit<Packet, 'protocol' | 'port'> {
  const destination = addresses[family];
  const known = clients[client];
  if (known === undefined) return { source: destination, destination, origin: { kind: 'node' } };
  const { device: name, ...rest } = known;
  const bridge = 'bridgePort' in rest ? { bridgePort: rest.bridgePort } : {};
  return { source: ip(known[family]), destination, origin: { kind: 'device', name, ...bridge } };
}

/** `as itself`, `as the node`, or what became of it. */
const expectations: Readonly<Record<keyof typeof frontEnds, (client: Client) => string>> = {
  external: () => 'as the node',
  externalLocal: () => 'as itself',
  balanced: () => 'as the node',
  balancedLocal: () => 'as itself',
  ranged: (client) =>
    client === 'a client in the ranges' || client === 'the node' ? 'as the node' : 'dropped',
  rangedAway: (client) => (client === 'a client in the ranges' ? 'as the node' : 'dropped'),
};

const names = Object.keys(frontEnds) as (keyof typeof frontEnds)[];
const allClients = Object.keys(clients) as Client[];
const state = await stateOf();

function outcome(packet: Packet): string {
  const { verdict } = trace(state, packet);
  if (verdict.kind !== 'balanced') return verdict.kind;
  const [{ fate, masqueradedBy } = { fate: 'none', masqueradedBy: undefined }] =
    verdict.balancing.choices;
  if (fate !== 'passed') return fate;
  return masqueradedBy === undefined ? 'as itself' : 'as the node';
}

describe.each(allClients)('%s', (client) => {
  test.each(names)('comes to front end %s', (name) => {
    for (const family of families) {
      const base = packetOf(client, frontEnds[name], family);
      for (const protocol of protocols)
        expect(outcome({ ...base, protocol, port: 80 }), `${protocol} ${family}`).toBe(
          expectations[name](client),
        );
    }
  });

  test.each(names)('is kept from every other port of front end %s', (name) => {
    for (const family of families) {
      const base = packetOf(client, frontEnds[name], family);
      expect(outcome({ ...base, protocol: 'TCP', port: 22 }), family).toBe('rejected');
    }
  });
});
