import { beforeEach, describe, expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { virtualServerOf } from '../../test/support/virtual-server.ts';
import type { RealServerStatus, Statistics, VirtualServerStatus } from '../ipvs/ipvs.ts';
import { ServiceTraffic, type TrafficSample } from './traffic.ts';

function statistics(connections: number, bytes = 10 * connections): Statistics {
  return {
    connections: BigInt(connections),
    incomingPackets: BigInt(2 * connections),
    outgoingPackets: BigInt(3 * connections),
    incomingBytes: BigInt(bytes),
    outgoingBytes: BigInt(2 * bytes),
  };
}

function virtualServer(address: string, counters: Statistics, port = 80): VirtualServerStatus {
  return { ...virtualServerOf(ip(address), { port }), statistics: counters };
}

let virtualServers: VirtualServerStatus[] = [];
let owners: Record<string, string> = {};
let active = 0;
let dumps = 0;
/** The addresses and ports of the virtual servers whose real servers were read. */
let counted: string[] = [];
let isEstimating = true;
let traffic: ServiceTraffic;

beforeEach(() => {
  virtualServers = [];
  owners = {};
  active = 0;
  dumps = 0;
  counted = [];
  isEstimating = true;
  traffic = new ServiceTraffic({
    ipvs: {
      virtualServers: async () => {
        dumps++;
        return virtualServers;
      },
      realServers: async ({ address, port }) => {
        counted.push(`${address}:${port}`);
        return [{ activeConnections: active } as RealServerStatus]; // the one property that is read
      },
    },
    isEstimating: () => isEstimating,
    ownerOf({ address }) {
      const name = owners[address];
      return name === undefined ? undefined : { namespace: 'shop', name };
    },
    now: () => 0,
  });
});

function printed(samples: readonly TrafficSample[]): readonly string[] {
  return samples.map(
    ({ labels: { namespace, name, port, protocol }, totals, activeConnections }) =>
      `${namespace}/${name}:${port}/${protocol} ${totals.connections} ${totals.incomingBytes} ${totals.outgoingBytes} ${activeConnections}`,
  );
}

describe('what went through a service port', () => {
  test('is what its virtual servers count, together', async () => {
    virtualServers = [
      virtualServer('172.30.0.1', statistics(3)),
      virtualServer('192.168.0.5', statistics(4)),
    ];
    owners = { '172.30.0.1': 'cart', '192.168.0.5': 'cart' };
    active = 2;
    expect(printed(await traffic.read())).toEqual(['shop/cart:80/TCP 7 70 140 4']);
  });
  test('goes on where a virtual server is made anew', async () => {
    owners = { '172.30.0.1': 'cart' };
    virtualServers = [virtualServer('172.30.0.1', statistics(5))];
    await traffic.read();
    virtualServers = [virtualServer('172.30.0.1', statistics(2))];
    expect(printed(await traffic.read())).toEqual(['shop/cart:80/TCP 7 70 140 0']);
    virtualServers = [virtualServer('172.30.0.1', statistics(4))];
    expect(printed(await traffic.read())).toEqual(['shop/cart:80/TCP 9 90 180 0']);
  });
  test('does not fall when one of its addresses goes', async () => {
    owners = { '172.30.0.1': 'cart', '203.0.113.1': 'cart' };
    virtualServers = [
      virtualServer('172.30.0.1', statistics(3)),
      virtualServer('203.0.113.1', statistics(4)),
    ];
    await traffic.read();
    virtualServers = virtualServers.slice(0, 1);
    expect(printed(await traffic.read())).toEqual(['shop/cart:80/TCP 7 70 140 0']);
  });
  test('is forgotten with the Service', async () => {
    owners = { '172.30.0.1': 'cart' };
    virtualServers = [virtualServer('172.30.0.1', statistics(3))];
    await traffic.read();
    virtualServers = [];
    expect(await traffic.read()).toEqual([]);
    virtualServers = [virtualServer('172.30.0.1', statistics(1))];
    expect(printed(await traffic.read())).toEqual(['shop/cart:80/TCP 1 10 20 0']);
  });
  test('is not told of virtual servers of others', async () => {
    virtualServers = [virtualServer('172.30.0.1', statistics(3))];
    expect(await traffic.read()).toEqual([]);
  });
});

test('the kernel is read once for all who ask meanwhile, and not before', async () => {
  expect(dumps).toBe(0);
  await Promise.all([traffic.read(), traffic.read(), traffic.read()]);
  expect(dumps).toBe(1);
  await traffic.read();
  expect(dumps).toBe(2);
});

test('beyond the limit service ports are counted together, and those that are known stay', async () => {
  owners = { '172.30.0.1': 'cart' };
  const all = (count: number) =>
    Array.from({ length: count }, (_, index) =>
      virtualServer('172.30.0.1', statistics(1), index + 1),
    );
  virtualServers = all(1_000);
  await traffic.read();
  virtualServers = all(2_500);
  const samples = printed(await traffic.read());
  expect(samples).toHaveLength(2_001);
  expect(samples).toContain('shop/cart:1/TCP 1 10 20 0');
  expect(samples).toContain('(other)/(other):/ 500 5000 10000 0');
});

test('a failure is the asker’s, and the next one asks anew', async () => {
  const failing = new ServiceTraffic({
    ipvs: {
      virtualServers: () => Promise.reject(new Error('no')),
      realServers: async () => [],
    },
    isEstimating: () => true,
    ownerOf: () => undefined,
    now: () => 0,
  });
  await expect(failing.read()).rejects.toThrow('no');
  await expect(failing.read()).rejects.toThrow('no');
});

describe('active connections are counted', () => {
  /** Reads once, and returns the virtual servers whose connections were counted. */
  async function countedBy(...now: readonly VirtualServerStatus[]): Promise<readonly string[]> {
    virtualServers = [...now];
    counted = [];
    await traffic.read();
    return counted;
  }

  beforeEach(() => {
    owners = { '172.30.0.1': 'cart', '172.30.0.2': 'shop' };
  });

  test('where there were packets since the last time', async () => {
    expect(await countedBy(virtualServer('172.30.0.1', statistics(0)))).toEqual([]);
    expect(await countedBy(virtualServer('172.30.0.1', statistics(3)))).toEqual(['172.30.0.1:80']);
    expect(await countedBy(virtualServer('172.30.0.1', statistics(3)))).toEqual([]);
    expect(await countedBy(virtualServer('172.30.0.1', statistics(3, 31)))).toEqual([
      '172.30.0.1:80',
    ]);
  });
  test('where there were some the last time, as they end without a packet too', async () => {
    active = 2;
    await countedBy(virtualServer('172.30.0.1', statistics(3)));
    active = 0;
    expect(await countedBy(virtualServer('172.30.0.1', statistics(3)))).toEqual(['172.30.0.1:80']);
    expect(printed(await traffic.read())).toEqual(['shop/cart:80/TCP 3 30 60 0']);
    expect(await countedBy(virtualServer('172.30.0.1', statistics(3)))).toEqual([]);
  });
  test('never of UDP, of which the kernel counts none', async () => {
    const udp = { ...virtualServer('172.30.0.1', statistics(3)), protocol: 'UDP' } as const;
    expect(await countedBy(udp)).toEqual([]);
  });
  test('everywhere if the counters stand still', async () => {
    isEstimating = false;
    active = 1;
    const both = [
      virtualServer('172.30.0.1', statistics(0)),
      virtualServer('172.30.0.2', statistics(0)),
    ];
    expect(await countedBy(...both)).toEqual(['172.30.0.1:80', '172.30.0.2:80']);
    expect(await countedBy(...both)).toEqual(['172.30.0.1:80', '172.30.0.2:80']);
  });
  test('of 1,000 virtual servers at once, the others in the next reads', async () => {
    const all = Array.from({ length: 2_500 }, (_, index) =>
      virtualServer('172.30.0.1', statistics(1), index + 1),
    );
    const reads = [await countedBy(...all), await countedBy(...all), await countedBy(...all)];
    expect(reads.map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
    expect(new Set(reads.flat()).size).toBe(2_500);
    expect(await countedBy(...all)).toEqual([]);
  });
  test('in turns where more than that have connections', async () => {
    active = 1;
    const all = Array.from({ length: 1_500 }, (_, index) =>
      virtualServer('172.30.0.1', statistics(1), index + 1),
    );
    const reads = [await countedBy(...all), await countedBy(...all)];
    expect(new Set(reads.flat()).size).toBe(1_500);
  });
  test('again after a read that failed half-way, whose counters are added by the next one', async () => {
    virtualServers = [virtualServer('172.30.0.1', statistics(3))];
    const failure = new Error('no');
    const real = { virtualServers: async () => virtualServers, realServers: async () => [] };
    let fails = true;
    const failing = new ServiceTraffic({
      ipvs: { ...real, realServers: async () => (fails ? Promise.reject(failure) : []) },
      isEstimating: () => true,
      ownerOf: () => ({ namespace: 'shop', name: 'cart' }),
      now: () => 0,
    });
    await expect(failing.read()).rejects.toThrow('no');
    fails = false;
    expect(printed(await failing.read())).toEqual(['shop/cart:80/TCP 3 30 60 0']);
  });
});
