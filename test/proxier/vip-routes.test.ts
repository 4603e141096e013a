import { afterEach, describe, expect, test } from 'vitest';
import type { IpAddress } from '../../pkg/ip/address.ts';
import { contains } from '../../pkg/ip/prefix.ts';
import type { Service } from '../../pkg/kube/types.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip, net } from '../support/addresses.ts';
import { endpoint, node, service, slice } from '../support/objects.ts';
import {
  FakeKernel,
  remove,
  Stand,
  type StandOptions,
  setNode,
  setService,
  setSlice,
} from '../support/proxier.ts';

// VIPs that are local by routes, in place of addresses of kube-ipvs0.

const stands: Stand[] = [];

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

const range = net('172.30.0.0/16');
const range6 = net('fd00:172:30::/112');
const byAddress = { vipBinding: { mode: 'address', ranges: [], podNetworks: [] } } as const;
const bySingle = { vipBinding: { mode: 'route', ranges: [], podNetworks: [] } } as const;
const byRange = {
  vipBinding: { mode: 'route', ranges: [range, range6], podNetworks: [] },
} as const;

const services = [
  service({
    clusterIPs: [ip('172.30.0.1'), ip('fd00:172:30::1')],
    externalIPs: [ip('203.0.113.80')],
  }),
  service({ name: 'api', uid: 'api-uid', clusterIPs: [ip('172.30.0.2')] }),
];

const here = node({ addresses: [ip('192.168.0.10'), ip('fd00:192:168::10')] });

async function start(over: StandOptions, objects: readonly Service[] = services) {
  const stand = new Stand({ syncPeriod: minutes(60), ...over });
  stands.push(stand);
  stand.report(setNode(here), ...objects.map(setService));
  stand.report(setSlice(slice([endpoint('10.0.0.1')])));
  stand.report(
    setSlice(slice([endpoint('fd00:10::1')], { name: 'web-6', serviceName: 'web' })),
    setSlice(slice([endpoint('10.0.0.2')], { name: 'api-1', serviceName: 'api' })),
  );
  await stand.sync();
  return stand;
}

async function stop(stand: Stand): Promise<void> {
  stands.splice(stands.indexOf(stand), 1);
  await stand.stop();
}

const routes = ({ kernel }: { kernel: FakeKernel }) => kernel.routes.dump().split('\n');
const addresses = ({ kernel }: { kernel: FakeKernel }) =>
  (/^kube-ipvs0 dummy\n((?: {2}.*\n?)*)/m.exec(kernel.links.dump())?.[1] ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);

const source = 'src 192.168.0.10';
const source6 = 'src fd00:192:168::10';
const singles = [
  `172.30.0.1/32 ${source}`,
  `172.30.0.2/32 ${source}`,
  `203.0.113.80/32 ${source}`,
  `fd00:172:30::1/128 ${source6}`,
];
const ranges = [
  `172.30.0.0/16 ${source}`,
  `203.0.113.80/32 ${source}`,
  `fd00:172:30::/112 ${source6}`,
];
const bound = ['172.30.0.1/32', '172.30.0.2/32', '203.0.113.80/32', 'fd00:172:30::1/128'];

describe('what is made', () => {
  test('without a range each VIP has a route with the node IP as source, and the device is there and empty', async () => {
    const stand = await start(bySingle);
    expect(routes(stand)).toEqual(singles);
    expect(stand.kernel.links.isDummy('kube-ipvs0')).toBe(true);
    expect(addresses(stand)).toEqual([]);
    expect(stand.reports.isFirstSyncDone).toBe(true);
  });

  test('a range has one route, and its VIPs none', async () => {
    const stand = await start(byRange);
    expect(routes(stand)).toEqual(ranges);
    expect(addresses(stand)).toEqual([]);
  });

  test('everything else in the kernel is the same as with addresses, but for the rules that close the ranges', async () => {
    const withAddresses = await start(byAddress);
    const withRoutes = await start(byRange);
    const rest = ({ kernel }: Stand) =>
      kernel
        .dump()
        .replace(/^## routes\n.*\n.*\n.*\n/m, '')
        .replace(/^(kube-ipvs0 dummy\n)(?: {2}.*\n)*/m, '$1')
        .split('\n');
    const closing = ['172.30.0.0/16', 'fd00:172:30::/112'].map(
      (network) =>
        `-A KUBE-IPVS-FILTER -d ${network} -m conntrack --ctstate NEW -j REJECT --reject-with ${network.includes(':') ? 'icmp6' : 'icmp'}-port-unreachable`,
    );
    const added = rest(withRoutes).filter((line) => !rest(withAddresses).includes(line));
    expect(added).toEqual(closing);
    expect(rest(withRoutes).filter((line) => !closing.includes(line))).toEqual(rest(withAddresses));
  });

  test('a Service that comes gets its own route last, and one that goes loses it', async () => {
    const stand = await start(bySingle);
    const made: string[] = [];
    stand.kernel.routes.failWith = (call) => {
      const is = stand.kernel.ipvs.dump().includes('172.30.0.9') ? 'served' : 'not served';
      if (call.call === 'write') made.push(`${call.write.kind} while ${is}`);
      return undefined;
    };
    const added = service({ name: 'new', uid: 'new-uid', clusterIPs: [ip('172.30.0.9')] });
    stand.report(setService(added));
    await stand.settle();
    expect(routes(stand)).toContain(`172.30.0.9/32 ${source}`);
    expect(made).toEqual(['addRoute while served']);
    stand.report(remove('Service', 'new'));
    await stand.settle(seconds(10));
    expect(routes(stand)).toEqual(singles);
    expect(made).toEqual(['addRoute while served', 'deleteRoute while not served']);
  });

  test('a Service that comes into a range needs no route', async () => {
    const stand = await start(byRange);
    const { calls } = stand.kernel.routes;
    const { write } = calls;
    stand.report(setService(service({ name: 'n', uid: 'n', clusterIPs: [ip('172.30.0.9')] })));
    await stand.settle();
    expect(stand.kernel.ipvs.dump()).toContain('172.30.0.9');
    expect(calls.write).toBe(write);
  });

  test('the route of a range comes after all virtual servers and the rule that closes it', async () => {
    const kernel = new FakeKernel();
    const moments: string[] = [];
    kernel.routes.failWith = ({ call }) => {
      const isClosed = kernel.firewall.dump('IPv4').includes('-d 172.30.0.0/16');
      const virtualServers = kernel.ipvs.dump().match(/ rr/g)?.length ?? 0;
      if (call === 'write')
        moments.push(`${virtualServers} virtual servers, ${isClosed ? 'closed' : 'open'}`);
      return undefined;
    };
    await start({ ...byRange, kernel });
    expect(new Set(moments)).toEqual(new Set(['4 virtual servers, closed']));
  });
});

/** Notes each VIP that is not local after a write; all are when it begins. */
function watchVips(kernel: FakeKernel): string[] {
  const lost: string[] = [];
  const look = () => {
    const onDevice = addresses({ kernel });
    const networks = routes({ kernel }).flatMap((line) => {
      const [text = ''] = line.split(' ');
      return text === '' ? [] : [net(text)];
    });
    for (const text of bound) {
      const vip = ip(text.split('/')[0] ?? '');
      const isLocal = onDevice.includes(text) || networks.some((network) => contains(network, vip));
      if (!isLocal) lost.push(vip);
    }
  };
  const writeAddresses = kernel.links.write.bind(kernel.links);
  const writeRoutes = kernel.routes.write.bind(kernel.routes);
  kernel.links.write = (batch) => {
    const failures = writeAddresses(batch);
    look();
    return failures;
  };
  kernel.routes.write = (batch) => {
    const failures = writeRoutes(batch);
    look();
    return failures;
  };
  look();
  expect(lost).toEqual([]);
  return lost;
}

describe('switching with a restart', () => {
  const modes = { address: byAddress, single: bySingle, range: byRange };
  const names = ['address', 'single', 'range'] as const;
  const made = { address: bound, single: singles, range: ranges };
  const pairs = names.flatMap((one) =>
    names.filter((other) => other !== one).map((other) => [one, other] as const),
  );

  test.each(pairs)(
    'from %s to %s: no VIP is lost on the way, and nothing of the first is left',
    async (one, other) => {
      const kernel = new FakeKernel();
      await stop(await start({ ...modes[one], kernel }));
      const before = kernel.ipvs.dump();
      const lost = watchVips(kernel);
      const stand = await start({ ...modes[other], kernel });
      await stand.settle();
      expect(lost).toEqual([]);
      expect(addresses(stand)).toEqual(other === 'address' ? made.address : []);
      expect(routes(stand)).toEqual(other === 'address' ? [''] : made[other]);
      expect(kernel.ipvs.dump()).toBe(before);
      expect(kernel.firewall.dump('IPv4').includes('-d 172.30.0.0/16')).toBe(other === 'range');
    },
  );

  test.each(pairs)(
    'from %s to %s: while the new way cannot be made, the old one stays',
    async (one, other) => {
      const kernel = new FakeKernel();
      await stop(await start({ ...modes[one], kernel }));
      const lost = watchVips(kernel);
      let isBroken = true;
      kernel.routes.failWith = (call) =>
        call.call === 'write' && call.write.kind === 'addRoute' && isBroken ? 'ENOMEM' : undefined;
      kernel.links.failWith = (call) =>
        call.call === 'write' && call.write.kind === 'bindAddress' && isBroken
          ? 'ENOMEM'
          : undefined;
      const stand = await start({ ...modes[other], kernel });
      await stand.settle(seconds(5));
      expect(lost).toEqual([]);
      isBroken = false;
      await stand.settle(seconds(40));
      expect(lost).toEqual([]);
      expect(addresses(stand)).toEqual(other === 'address' ? made.address : []);
      expect(routes(stand)).toEqual(other === 'address' ? [''] : made[other]);
    },
  );

  test.each(names)('a restart with %s writes nothing', async (mode) => {
    const kernel = new FakeKernel();
    await stop(await start({ ...modes[mode], kernel }));
    const before = { links: kernel.links.calls.write, routes: kernel.routes.calls.write };
    const stand = await start({ ...modes[mode], kernel });
    expect(stand.reports.isFirstSyncDone).toBe(true);
    expect({ links: kernel.links.calls.write, routes: kernel.routes.calls.write }).toEqual(before);
  });
});

describe('drift', () => {
  test('routes that somebody deleted, added or changed are repaired by an audit', async () => {
    const stand = await start({ ...byRange, syncPeriod: seconds(30) });
    stand.kernel.routes.write([
      { kind: 'deleteRoute', network: net('203.0.113.80/32') },
      { kind: 'addRoute', network: range, source: undefined },
      { kind: 'addRoute', network: net('172.30.7.7/32'), source: undefined },
      { kind: 'addRoute', network: net('172.31.0.0/16'), source: undefined },
    ]);
    await stand.settle(seconds(31));
    expect(routes(stand)).toEqual(ranges);
    expect(stand.reports.repairs.filter((kind) => /Route/.test(kind)).sort()).toEqual([
      ...['addRoute', 'addRoute', 'deleteRoute', 'deleteRoute'],
    ]);
  });

  test("an address that appears on the device goes, and one of a VIP's does too", async () => {
    const stand = await start({ ...byRange, syncPeriod: seconds(30) });
    for (const text of ['172.30.0.1', '172.30.9.9'])
      stand.kernel.links.addAddress({ link: 'kube-ipvs0', address: ip(text), prefixLength: 32 });
    await stand.settle(seconds(31));
    expect(addresses(stand)).toEqual([]);
  });
});

describe('the address of the node', () => {
  const next = ip('192.168.0.20');

  test.each([
    ['a range', byRange],
    ['single routes', bySingle],
  ])('when it changes, the routes follow it: %s', async (_, over) => {
    const stand = await start(over);
    const { links } = stand.kernel;
    links.addAddress({ link: 'eth0', address: next, prefixLength: 24 });
    stand.report(setNode(node({ addresses: [next, ip('fd00:192:168::10')] })));
    await stand.settle();
    links.removeAddress({ link: 'eth0', address: ip('192.168.0.10') });
    await stand.settle();
    expect(routes(stand).filter((line) => line.includes('.'))).toEqual(
      (over === byRange ? ranges : singles)
        .filter((line) => line.includes('.'))
        .map((line) => line.replace('192.168.0.10', next)),
    );
  });

  test('when it goes before the Node says so, another address of the node is the source', async () => {
    const stand = await start(byRange);
    const { links } = stand.kernel;
    links.addAddress({ link: 'eth0', address: next, prefixLength: 24 });
    links.removeAddress({ link: 'eth0', address: ip('192.168.0.10') });
    await stand.settle();
    expect(routes(stand)).toContain(`172.30.0.0/16 src ${next}`);
  });

  test('a route that the kernel dropped with its source is made again at once', async () => {
    const stand = await start(byRange);
    const { kernel } = stand;
    kernel.routes.write([{ kind: 'deleteRoute', network: range }]);
    kernel.links.addAddress({ link: 'eth0', address: next, prefixLength: 24 });
    await stand.settle();
    expect(routes(stand)).toEqual(ranges);
  });
});

describe('ranges that cannot be used', () => {
  const refused = (text: string, pods: readonly string[] = []) => ({
    vipBinding: { mode: 'route', ranges: [net(text)], podNetworks: pods.map(net) } as const,
  });

  test.each([
    ['192.168.0.0/16', 'contains 192.168.0.10, an address of this node', refused('192.168.0.0/16')],
    [
      '10.0.0.0/16',
      'overlaps 10.0.0.0/8, a network of pods',
      refused('10.0.0.0/16', ['10.0.0.0/8']),
    ],
    ['172.16.0.0/12', 'overlaps 172.16.0.0/24, a network of pods', refused('172.16.0.0/12')],
  ])('%s: the program ends and names the field', async (text, problem, over) => {
    const stand = new Stand({ ...over });
    const ended = stand.ended.then(
      () => 'no error',
      (error: unknown) => String(error),
    );
    stand.report(setNode({ ...here, podCIDRs: [net('172.16.0.0/24')] }));
    await stand.sync();
    expect(await ended).toBe(
      `Error: ipvs.serviceClusterIPRange: Invalid value: "${text}": ${problem}`,
    );
    expect(stand.kernel.routes.dump()).toBe('');
  });

  test('a device that comes to be connected to one later: its VIPs get routes of their own, none is lost, and it is logged', async () => {
    const kernel = new FakeKernel();
    const stand = await start({ ...byRange, kernel });
    const lost = watchVips(kernel);
    kernel.links.addAddress({ link: 'eth0', address: ip('172.30.128.1'), prefixLength: 24 });
    await stand.settle();
    expect(routes(stand)).toEqual([...singles.slice(0, 3), ranges[2]]);
    expect(lost).toEqual([]);
    expect(stand.log.lines()).toContain(
      'error a range of VIPs gets no route: each of its VIPs gets one {"range":"172.30.0.0/16","problem":"overlaps 172.30.128.0/24, a network that a device of this node is connected to"}',
    );
    kernel.links.removeAddress({ link: 'eth0', address: ip('172.30.128.1') });
    await stand.settle();
    expect(routes(stand)).toEqual(ranges);
    expect(lost).toEqual([]);
  });
});

describe('ranges of ServiceCIDR objects', () => {
  test('are used when they come, and given up when they go: no VIP is lost', async () => {
    const kernel = new FakeKernel();
    const stand = await start({ ...bySingle, kernel });
    const lost = watchVips(kernel);
    stand.proxier.useVipRanges([range, range6]);
    await stand.settle();
    expect(routes(stand)).toEqual(ranges);
    stand.proxier.useVipRanges([]);
    await stand.settle();
    expect(routes(stand)).toEqual(singles);
    expect(lost).toEqual([]);
  });

  test('that overlap do not end the program', async () => {
    const stand = new Stand({ ...bySingle });
    stands.push(stand);
    stand.proxier.useVipRanges([net('192.168.0.0/16'), range6]);
    stand.report(setNode(here), ...services.map(setService));
    await stand.sync();
    expect(routes(stand)).toEqual([...singles.slice(0, 3), ranges[2]]);
  });
});

test('a VIP that another device has is reported once, and its range is used', async () => {
  const kernel = new FakeKernel();
  kernel.links.addLink('nodelocaldns', 'dummy');
  const vip: IpAddress = ip('172.30.0.1');
  kernel.links.addAddress({ link: 'nodelocaldns', address: vip, prefixLength: 32 });
  const stand = await start({ ...byRange, kernel, syncPeriod: seconds(30) });
  await stand.settle(seconds(100));
  expect(routes(stand)).toEqual(ranges);
  expect(stand.log.lines().filter((line) => line.includes('another device'))).toEqual([
    'warning another device has the address of a Service {"address":"172.30.0.1","device":"nodelocaldns"}',
  ]);
});
