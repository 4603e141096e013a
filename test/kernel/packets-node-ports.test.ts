import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServiceHealthServers } from '../../pkg/health/service-health.ts';
import { families } from '../../pkg/ip/address.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
import { ip, net } from '../support/addresses.ts';
import { fetchText } from '../support/network/http.ts';
import { Network, nodeAddresses } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { node } from '../support/objects.ts';
import { silence } from '../support/patience.ts';
import { setNode } from '../support/proxier.ts';
import { TracedTraffic } from '../support/traced-traffic.ts';
import { ShopService, serveAll, table, unanswered } from '../support/traffic.ts';

// Node ports in two networks of which the node gets and loses addresses while it runs, and health-check node ports there. What node
// ports are on which addresses is in pkg/proxy/desired/node-port-addresses.test.ts.

const network = new Network();
const traffic = new TracedTraffic(network);
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const web = network.addPod('web', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const shop = new ShopService('web', 1);
const more = { IPv4: ip('192.168.1.10'), IPv6: ip('fd00:192:168:1::10') };
const loadBalancer = { IPv4: ip('172.30.1.1'), IPv6: ip('fd00:172:30::1:1') };
const balanced = shop.service({
  type: 'LoadBalancer',
  externalTrafficPolicy: 'Local',
  healthCheckNodePort: 31_000,
  loadBalancerIPs: Object.values(loadBalancer),
});

let servers: readonly Server[] = [];
let proxy: NodeProxy;
const stop = new AbortController();
let health: Promise<void>;

function run(...words: readonly string[]): string {
  return network.node.namespace.run(...(words as [string, ...string[]]));
}

function changeAddresses(what: 'add' | 'del'): void {
  run('ip', 'addr', what, `${more.IPv4}/32`, 'dev', 'eth0');
  const nodad = what === 'add' ? ['nodad'] : [];
  run('ip', 'addr', what, `${more.IPv6}/128`, 'dev', 'eth0', ...nodad);
}

beforeAll(async () => {
  servers = serveAll(web);
  proxy = new NodeProxy(network.node.namespace, {
    nodePortNetworks: [net('192.168.1.0/24'), net('fd00:192:168:1::/64')],
  });
  const services = new ServiceHealthServers({
    name: 'service health server',
    isProxyHealthy: () => true,
    onFailed: (_, error) => proxy.log.error('no health server', error),
    clock: systemClock,
    log: proxy.log,
  });
  health = services.run(stop.signal);
  proxy.reports.serviceHealth = (key, state) => services.set(key, state);
  proxy.reports.healthCheckAddresses = (addresses) => services.setAddresses(addresses);
  proxy.report(
    setNode(node({ name: 'here', addresses: Object.values(nodeAddresses) })),
    balanced,
    ...shop.slices(web),
  );
  await proxy.settled();
});

afterAll(async () => {
  stop.abort();
  await health;
  await proxy.stop();
  for (const server of servers) server.close();
  network.close();
});

const asItself = table(({ family }) => `web saw ${client.addresses[families.indexOf(family)]}`);

/** The answer to a load balancer's question at an address, or why there is none. */
async function healthAt(address: (typeof more)['IPv4']): Promise<string> {
  const asked = { address, port: 31_000, path: '/healthz' };
  return await fetchText(client, asked).then(
    (text) => `${(JSON.parse(text) as { localEndpoints: number }).localEndpoints} endpoints`,
    (error: Error) => error.message,
  );
}

describe('node ports in networks', () => {
  const there = { addresses: more, port: shop.nodePort.port };

  test('are on no address outside of them', async () => {
    expect(await traffic.askAll(client, shop.nodePort, { patience: silence })).toEqual(unanswered);
  });

  test('are on an address as soon as the node has it, and as long', async () => {
    changeAddresses('add');
    await expect.poll(() => run('ipvsadm', '-Sn')).toMatch(/\[fd00:192:168:1::10\]:30080 -r/);
    await proxy.settled();
    traffic.changed();
    expect(await traffic.askAll(client, there)).toEqual(asItself);
    changeAddresses('del');
    await expect.poll(() => run('ipvsadm', '-Sn')).not.toContain('30080');
    changeAddresses('add');
    await expect.poll(() => run('ipvsadm', '-Sn')).toMatch(/\[fd00:192:168:1::10\]:30080 -r/);
  });

  test('so are health-check node ports, which follow their Service', async () => {
    for (const family of families) {
      await expect.poll(() => healthAt(more[family])).toBe('1 endpoints');
      expect(await healthAt(nodeAddresses[family])).toMatch(/ECONN/);
    }
    proxy.report(...shop.slices());
    for (const family of families)
      await expect.poll(() => healthAt(more[family])).toBe('status 503');
    proxy.report(...shop.slices(web));
    for (const family of families)
      await expect.poll(() => healthAt(more[family])).toBe('1 endpoints');
    proxy.report(shop.service({ type: 'NodePort', externalTrafficPolicy: 'Local' }));
    for (const family of families) await expect.poll(() => healthAt(more[family])).toMatch(/ECONN/);
  });
});

test('IPv6 that is turned off and on by sysctl comes back at once, and IPv4 goes on', async () => {
  const bound = () => run('ip', '-6', '-o', 'addr', 'show', 'dev', 'kube-ipvs0');
  expect(bound()).toContain('fd00:172:30::1/128');
  run('sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1');
  expect(bound()).toBe('');
  traffic.changed();
  const kind = { protocol: 'TCP', family: 'IPv4' } as const;
  expect(await traffic.ask(client, shop.vip, { kind })).toMatch(/^web saw /);
  run('sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=0');
  await expect.poll(bound).toContain('fd00:172:30::1/128');
  traffic.changed();
});
