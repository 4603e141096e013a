import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { families } from '../../pkg/ip/address.ts';
import type { Prefix } from '../../pkg/ip/prefix.ts';
import { protocols } from '../../pkg/ip/protocol.ts';
import type { Service } from '../../pkg/kube/types.ts';
import { ip, net } from '../support/addresses.ts';
import { Hammer } from '../support/hammer.ts';
import { type Host, Network, nodeAddresses } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { endpoint, node, service, servicePort, slice } from '../support/objects.ts';
import { PacketExplainer } from '../support/packet-explainer.ts';
import { silence } from '../support/patience.ts';
import { setNode, setService, setSlice } from '../support/proxier.ts';
import { addressOf, serveAll, table } from '../support/traffic.ts';

// Source ranges never flap: while ranges, ports, endpoints and the size of the set change, a client in the range always gets in and one
// outside of it never does. One story, in order. test/proxier/source-ranges.test.ts looks at what packets meet after each write.

const network = new Network();
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const stranger = network.addClient('stranger', [ip('203.0.113.99'), ip('2001:db8:203:113::99')]);
const webs = [1, 2].map((number) =>
  network.addPod(`web${number}`, [ip(`10.0.1.${number}`), ip(`fd00:10:0:1::${number}`)]),
) as [Host, Host]; // two of them
const vips = { IPv4: ip('198.51.100.1'), IPv6: ip('2001:db8:198:51::1') };
/** Those that the client is in. */
const its = [net('203.0.113.7/32'), net('2001:db8:203:113::/121')];
/** Ports of their own: a UDP request from the port of an earlier one would be translated and masqueraded as that one was. */
const target = { addresses: vips, port: 80, firstSourcePort: 10_000 };
const servers: Server[] = [];
const setName = 'KUBE-LOAD-BALANCER-SOURCE-CIDR';
const explainer = new PacketExplainer(network);
let proxy: NodeProxy;
let inside: Hammer;
let outside: Hammer;

beforeAll(async () => {
  servers.push(...webs.flatMap((host) => serveAll(host)));
  proxy = new NodeProxy(network.node.namespace);
  proxy.report(setNode(node({ name: 'here', addresses: Object.values(nodeAddresses) })));
  report({ sourceRanges: its }, webs[0]);
  await proxy.settled();
  inside = new Hammer(client, target);
  outside = new Hammer(stranger, { ...target, patience: silence });
});

afterAll(async () => {
  for (const hammer of [inside, outside]) await hammer.stop();
  await proxy.stop();
  for (const server of servers) server.close();
  network.close();
});

/** The Service with some ranges, on ports from 80 on, and its endpoints. */
function report(
  { portCount = 1, ...over }: Partial<Service> & { portCount?: number },
  ...hosts: readonly Host[]
): void {
  const numbers = Array.from({ length: portCount }, (_, index) => 80 + index);
  const named = numbers.flatMap((port) =>
    protocols.map((protocol) => ({ name: `${protocol}-${port}`, protocol, port })),
  );
  proxy.report(
    setService(
      service({
        type: 'LoadBalancer',
        clusterIPs: [ip('172.30.0.1'), ip('fd00:172:30::1')],
        loadBalancerIPs: Object.values(vips),
        ports: named.map((port) => servicePort(port)),
        ...over,
      }),
    ),
    ...families.map((family) =>
      setSlice(
        slice(
          hosts.map((host) => endpoint(addressOf(host, family), { nodeName: 'here' })),
          {
            name: `web-${family}`,
            ports: named.map((port) => ({ ...port, port: 8080 })),
          },
        ),
      ),
    ),
  );
}

/** Networks of nobody here; the last ones are of IPv6. */
function others(count: number): readonly Prefix[] {
  return [
    ...Array.from({ length: count }, (_, index) =>
      net(`10.${64 + (index >> 8)}.${index & 0xff}.0/24`),
    ),
    ...Array.from({ length: 3 }, (_, index) => net(`2001:db8:${index + 1}::/48`)),
  ];
}

/** Waits until the change is in the kernel and both clients got since what is explained. */
async function tried(): Promise<void> {
  await proxy.proxier.idle();
  explainer.changed();
  await Promise.all([
    explainer.judgeNext(inside, { host: client, target }),
    explainer.judgeNext(outside, { host: stranger, target }),
  ]);
}

describe('a load balancer with source ranges', () => {
  test.each<[string, () => void]>([
    ['other ranges come', () => report({ sourceRanges: [...others(9), ...its] }, webs[0])],
    ['they go', () => report({ sourceRanges: its }, webs[0])],
    [
      'wider ranges take the place of the narrow ones',
      () =>
        report({ sourceRanges: [net('203.0.113.0/26'), net('2001:db8:203:113::/122')] }, webs[0]),
    ],
    ['an endpoint comes', () => report({ sourceRanges: its }, ...webs)],
    ['the first endpoint goes', () => report({ sourceRanges: its }, webs[1])],
    ['ports come', () => report({ sourceRanges: its, portCount: 4 }, ...webs)],
    [
      'the policy becomes Local',
      () => report({ sourceRanges: its, externalTrafficPolicy: 'Local' }, ...webs),
    ],
    ['ports and the policy go', () => report({ sourceRanges: its }, ...webs)],
  ])('%s', async (_, change) => {
    change();
    await tried();
  });

  test('the set is swapped for a larger one when there are more than 65,536 ranges of ports', async () => {
    const size = () => network.node.namespace.run('ipset', 'list', '-t', setName);
    // Front ends of ports that went stand for a few seconds.
    await expect.poll(size).toMatch(/maxelem 65536 [^]*entries: 3$/m);
    report({ sourceRanges: [...its, ...others(1_050)], portCount: 21 }, ...webs);
    await proxy.proxier.idle();
    await Promise.all([inside.next(3), outside.next(1)]);
    await expect.poll(size).toMatch(/maxelem 131072 [^]*entries: 66213$/m);
  });

  test('the client in the range always got in, the other one never', () => {
    expect(inside.failures()).toEqual(table(() => []));
    expect(new Set(Object.values(outside.answers).flat())).toEqual(new Set(['timeout']));
  });
});
