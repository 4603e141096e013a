import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nftGeneration } from '../../pkg/firewall/generation.ts';
import { RestoreFirewall } from '../../pkg/firewall/restore.ts';
import { families } from '../../pkg/ip/address.ts';
import { NetlinkIpSets } from '../../pkg/ipset/netlink.ts';
import { openIpvs } from '../../pkg/ipvs/netlink.ts';
import { NetlinkLinks } from '../../pkg/links/netlink.ts';
import { NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { NETLINK_NETFILTER } from '../../pkg/netlink/netfilter.ts';
import { setHeader, setIds, setName } from '../../pkg/proxy/desired/sets.ts';
import { ip } from '../support/addresses.ts';
import { frontEndState, frontEnds } from '../support/front-ends.ts';
import { type Host, Network, nodeAddresses } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { silence } from '../support/patience.ts';
import { kernelSettings } from '../support/settings.ts';
import { TracedTraffic } from '../support/traced-traffic.ts';
import { addressOf, serveAll, table } from '../support/traffic.ts';

// External addresses and those of load balancers, with the state that the compatibility contract gives them, made by hand: packets on each way
// that no Service with a cluster IP and a node port takes. pkg/trace/front-ends.test.ts has all clients and front ends.

const network = new Network();
const traffic = new TracedTraffic(network);
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const stranger = network.addClient('stranger', [ip('203.0.113.99'), ip('2001:db8:203:113::99')]);
const web = network.addPod('web', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const caller = network.addPod('caller', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
let servers: readonly Server[] = [];

beforeAll(async () => {
  servers = serveAll(web);
  const leave = network.node.namespace.enter();
  const ipvs = openIpvs({});
  const netfilter = openConnection(NETLINK_NETFILTER, { echo: true });
  const route = openConnection(NETLINK_ROUTE, {});
  const [ipsets, links] = [new NetlinkIpSets(netfilter), new NetlinkLinks(route)];
  const firewall = new RestoreFirewall({ generation: nftGeneration(netfilter) });
  kernelSettings().apply();
  links.ensureDummy('kube-ipvs0');
  for (const family of families) {
    const made = frontEndState(family, addressOf(web, family));
    for (const id of setIds) ipsets.create(setHeader(id, family));
    const failures = [
      ipsets.write(
        made.entries.map(({ set, entry }) => ({
          kind: 'addEntry',
          set: setName(set, family),
          entry,
        })),
      ),
      ipvs.write(
        made.servers.flatMap(({ virtualServer, realServer }) => [
          { kind: 'addVirtualServer', virtualServer } as const,
          { kind: 'addRealServer', virtualServer, realServer } as const,
        ]),
      ),
      links.write(
        made.bound.map((address) => ({ kind: 'bindAddress', link: 'kube-ipvs0', address })),
      ),
    ];
    expect(failures.flat()).toEqual([]);
    await firewall.apply(family, made.ruleset);
  }
  for (const opened of [ipvs, netfilter, route]) opened.close();
  leave();
});

afterAll(() => {
  for (const server of servers) server.close();
  network.close();
});

const asNode = table(({ family }) => `web saw ${nodeAddresses[family]}`);
const asItself = (who: Host) => table(({ family }) => `web saw ${addressOf(who, family)}`);
const dropped = table(() => 'timeout');

function ask(
  who: Host,
  { addresses }: (typeof frontEnds)[keyof typeof frontEnds],
  patience?: number,
) {
  return traffic.askAll(who, { addresses, port: 80 }, patience === undefined ? {} : { patience });
}

describe('an external address', () => {
  test('hides its clients', async () => {
    expect(await ask(client, frontEnds.external)).toEqual(asNode);
    expect(await ask(network.node, frontEnds.external)).toEqual(asNode);
  });

  test('with the policy Local shows them', async () => {
    expect(await ask(client, frontEnds.externalLocal)).toEqual(asItself(client));
    expect(await ask(caller, frontEnds.externalLocal)).toEqual(asItself(caller));
  });
});

describe('a load balancer', () => {
  test('hides its clients', async () => {
    expect(await ask(client, frontEnds.balanced)).toEqual(asNode);
  });

  test('with the policy Local shows them', async () => {
    expect(await ask(client, frontEnds.balancedLocal)).toEqual(asItself(client));
  });

  test('with source ranges serves those in them, and is silent to all others', async () => {
    expect(await ask(client, frontEnds.ranged)).toEqual(asNode);
    expect(await ask(stranger, frontEnds.ranged, silence)).toEqual(dropped);
    expect(await ask(caller, frontEnds.ranged, silence)).toEqual(dropped);
  });

  test('is silent to the node itself where that is not in its source ranges', async () => {
    expect(await ask(network.node, frontEnds.ranged)).toEqual(asNode);
    expect(await ask(network.node, frontEnds.rangedAway, silence)).toEqual(dropped);
    expect(await ask(client, frontEnds.rangedAway)).toEqual(asNode);
  });
});
