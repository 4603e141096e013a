import { afterEach, describe, expect, test } from 'vitest';
import { type Family, families, familyOf } from '../../pkg/ip/address.ts';
import { protocols } from '../../pkg/ip/protocol.ts';
import { type Change, type Service } from '../../pkg/kube/types.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip, net } from '../support/addresses.ts';
import { endpoint, node, service, servicePort, slice } from '../support/objects.ts';
import {
  type FakeKernel,
  Stand,
  type StandOptions,
  setNode,
  setService,
  setSlice,
} from '../support/proxier.ts';

// One Service in two families, on nodes that serve both, or one, or lose one for a while.

const stands: Stand[] = [];

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

const clusterIPs = { IPv4: ip('172.30.0.1'), IPv6: ip('fd00:172:30::1') };
const externalIPs = [ip('203.0.113.80'), ip('2001:db8:203:113::80')];
const loadBalancerIPs = [ip('203.0.113.81'), ip('2001:db8:203:113::81')];
const pods = { IPv4: '10.0.0.1', IPv6: 'fd00:10::1' };
const ports = protocols.map((protocol) =>
  servicePort({ name: protocol, protocol, nodePort: 30_080 }),
);

/** A Service with everything that has an address, its families in this order. */
function web(order: readonly Family[], over: Partial<Service> = {}): Change {
  return setService(
    service({
      type: 'LoadBalancer',
      ports,
      externalIPs,
      loadBalancerIPs,
      clusterIPs: order.map((family) => clusterIPs[family]),
      sourceRanges: [net('203.0.113.0/24'), net('2001:db8:203:113::/64')],
      ...over,
    }),
  );
}

function slices(order: readonly Family[]): readonly Change[] {
  return order.map((family) =>
    setSlice(
      slice([endpoint(pods[family], { nodeName: 'here' })], {
        name: `web-${family}`,
        ports: protocols.map((protocol) => ({ name: protocol, protocol, port: 8080 })),
      }),
    ),
  );
}

const here = setNode(node({ addresses: [ip('192.168.0.10'), ip('fd00:192:168::10')] }));

async function start(changes: readonly Change[], over: StandOptions = {}) {
  const stand = new Stand(over);
  stands.push(stand);
  stand.report(here, ...changes);
  await stand.sync();
  await stand.settle(seconds(1));
  return stand;
}

/** The lines of a state that are about one family. */
function linesOf(stand: Stand, family: Family): readonly string[] {
  const isAbout = (line: string) =>
    line.split(/[\s,/]+/).some((word) => {
      const text = word.replace(/^\[(.*)\](:\d+)?$/, '$1');
      return family === 'IPv4'
        ? /^\d+\.\d+\.\d+\.\d+(:\d+)?$/.test(text)
        : /^[0-9a-f:]*:[0-9a-f:]*:[0-9a-f]*$/.test(text);
    });
  const { ipvs, links, ipsets } = stand.kernel;
  return [ipvs, links, ipsets].flatMap((part) => part.dump().split('\n').filter(isAbout));
}

describe('a Service of two families', () => {
  test('is the same in either order of its families and slices', async () => {
    const [one, other] = await Promise.all([
      start([web(families), ...slices(families)]),
      start([web(families.toReversed()), ...slices(families.toReversed())]),
    ]);
    expect(other.kernel.dump()).toBe(one.kernel.dump());
    for (const family of families) expect(linesOf(one, family).length).toBeGreaterThan(20);
  });

  test.each(families)(
    'gains and loses %s, and the other family keeps every line',
    async (family) => {
      const kept = families.filter((one) => one !== family);
      const stand = await start([web(kept), ...slices(families)]);
      const alone = stand.kernel.dump();
      const [keptFamily = family] = kept;
      const before = linesOf(stand, keptFamily);
      stand.report(web(families));
      await stand.settle(seconds(1));
      expect(linesOf(stand, keptFamily)).toEqual(before);
      const first = await start([web(families), ...slices(families)]);
      expect(stand.kernel.dump()).toBe(first.kernel.dump());
      const writes = stand.kernel.ipvs.calls.write;
      stand.report(web(kept));
      await stand.settle(minutes(16));
      expect(stand.kernel.ipvs.calls.write).toBeGreaterThan(writes);
      expect(stand.kernel.dump()).toBe(alone);
    },
  );
});

describe('a node of one family', () => {
  test.each(families)('with %s alone serves that, and nothing of the other', async (family) => {
    const address = family === 'IPv4' ? ip('192.168.0.10') : ip('fd00:192:168::10');
    const onNode = setNode(node({ addresses: [address] }));
    const changes = [onNode, web(families), ...slices(families)];
    const stand = await start(changes, { families: [family] });
    const both = await start(changes);
    expect(linesOf(stand, family)).toEqual(linesOf(both, family));
    const [other = family] = families.filter((one) => one !== family);
    const foreign = linesOf(stand, other).filter((line) => /kube|KUBE|^-[aA]/.test(line));
    expect(foreign).toEqual([]);
    expect(stand.kernel.firewall.applies[other]).toBe(0);
    expect(stand.reports.syncs.at(-1)).toMatchObject({ isSuccess: true, families: [family] });
  });
});

describe('IPv6 that is turned off and on by sysctl', () => {
  /** As `net.ipv6.conf.all.disable_ipv6` does: addresses go from every device, and none can be added. */
  function turnOff({ links }: FakeKernel): () => void {
    const lines = links.dump().split('\n');
    let link = '';
    const gone: { link: string; address: ReturnType<typeof ip>; prefixLength: number }[] = [];
    for (const line of lines) {
      const [, text, length] = /^ {2}(\S+)\/(\d+)$/.exec(line) ?? [];
      if (text === undefined) link = line.split(' ')[0] ?? '';
      else if (familyOf(ip(text)) === 'IPv6')
        gone.push({ link, address: ip(text), prefixLength: Number(length) });
    }
    links.failWith = (call) =>
      call.call === 'write' && familyOf(call.write.address) === 'IPv6' ? 'EACCES' : undefined;
    for (const { link: device, address } of gone) links.removeAddress({ link: device, address });
    return () => {
      links.failWith = () => undefined;
      // The device's own come back from whoever gave them; ours do not.
      for (const one of gone) if (one.link !== 'kube-ipvs0') links.addAddress(one);
    };
  }

  test('costs IPv4 nothing, and is served again at once', async () => {
    const plain = setService(
      service({ name: 'plain', clusterIPs: [ip('172.30.0.2'), ip('fd00:172:30::2')] }),
    );
    const stand = await start([web(families), ...slices(families), plain], {
      syncPeriod: minutes(60),
    });
    const { kernel } = stand;
    const before = kernel.dump();
    const IPv4 = linesOf(stand, 'IPv4');
    const turnOn = turnOff(kernel);
    await stand.settle(minutes(5));
    expect(linesOf(stand, 'IPv4')).toEqual(IPv4);
    expect(kernel.links.dump()).not.toContain('fd00:172:30::2/128');
    turnOn();
    await stand.settle(seconds(1));
    expect(kernel.dump()).toBe(before);
  });
});
