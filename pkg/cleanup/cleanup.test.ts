import { beforeEach, describe, expect, test } from 'vitest';
import { ip, net } from '../../test/support/addresses.ts';
import { virtualServerOf } from '../../test/support/virtual-server.ts';
import { KernelError } from '../errno/errno.ts';
import { FakeFirewall } from '../firewall/fake.ts';
import type { PrintedRules, RuleTables } from '../firewall/firewall.ts';
import type { IpAddress } from '../ip/address.ts';
import { FakeIpSets } from '../ipset/fake.ts';
import type { Entry, SetHeader } from '../ipset/ipset.ts';
import { FakeIpvs } from '../ipvs/fake.ts';
import type { Forwarding } from '../ipvs/ipvs.ts';
import { FakeLinks } from '../links/fake.ts';
import { recordingLogger } from '../log/memory.ts';
import { FakeNftTables } from '../nftables/fake.ts';
import { setHeader, setIds } from '../proxy/desired/sets.ts';
import { FakeRoutes } from '../routes/fake.ts';
import { manualClock } from '../runner/manual-clock.ts';
import { ProgressBoard, printProgress } from '../runner/progress.ts';
import { cleanUp } from './cleanup.ts';
import type { CleanedKernel } from './found.ts';

/** Rules as text, and what removes whole chains from it. */
class TextTables implements RuleTables {
  text = '';
  failure: Error | undefined;

  async read(): Promise<readonly PrintedRules[]> {
    return this.text === '' ? [] : [{ family: 'IPv4', flavour: 'nft', text: this.text }];
  }

  async remove(...[, removals]: Parameters<RuleTables['remove']>): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    const gone = (line: string) =>
      removals.some(
        ({ rules, emptied, deleted }) =>
          rules.includes(line) ||
          emptied.some((chain) => line.startsWith(`-A ${chain} `)) ||
          deleted.some((chain) => line.startsWith(`:${chain} `)),
      );
    const left = this.text.split('\n').filter((line) => !gone(line));
    this.text = left.join('\n');
  }
}

const clusterAddress = ip('172.30.0.10');
const nodeAddress = ip('192.168.0.5');
const foreignAddress = ip('203.0.113.9');

let ipvs: FakeIpvs;
let ipsets: FakeIpSets;
let links: FakeLinks;
let routes: FakeRoutes;
let rules: TextTables;
let nftTables: FakeNftTables;
let firewall: FakeFirewall;
let log = recordingLogger();
let progress: ProgressBoard;

beforeEach(() => {
  ipvs = new FakeIpvs();
  ipsets = new FakeIpSets();
  links = new FakeLinks();
  routes = new FakeRoutes((address) => links.hasAddress(address));
  rules = new TextTables();
  nftTables = new FakeNftTables();
  firewall = new FakeFirewall({ hasSet: () => true });
  log = recordingLogger();
  progress = new ProgressBoard();
  links.addLink('eth0', 'veth');
  links.addAddress({ link: 'eth0', address: nodeAddress, prefixLength: 24 });
});

async function clean(
  kernel: Partial<CleanedKernel> = {},
  excluded = [] as readonly string[],
): Promise<boolean> {
  const clock = manualClock();
  const all = { ipvs, ipsets, links, routes, rules, firewall, nftTables, ...kernel };
  const options = { excluded: excluded.map(net), log, clock, progress };
  const ending = cleanUp(all, options);
  await clock.advance(60_000);
  return await ending;
}

function addVirtualServer(
  address: IpAddress,
  { port, forwarding = 'masquerade' }: { port: number; forwarding?: Forwarding },
): void {
  const virtualServer = virtualServerOf(address, { port });
  const realServer = {
    address: ip('10.0.1.2'),
    port: 80,
    weight: 1,
    forwarding,
    upperThreshold: 0,
    lowerThreshold: 0,
  };
  const failures = ipvs.write([
    { kind: 'addVirtualServer', virtualServer },
    { kind: 'addRealServer', virtualServer, realServer },
  ]);
  expect(failures).toEqual([]);
}

function addSets(): void {
  for (const family of ['IPv4', 'IPv6'] as const)
    for (const id of setIds) ipsets.create(setHeader(id, family));
}

function addEntry(set: string, entry: Entry): void {
  expect(ipsets.write([{ kind: 'addEntry', set, entry }])).toEqual([]);
}

/** A node that proxied: a cluster address on the device, a node port, all sets. */
function leaveEverything(): void {
  links.ensureDummy('kube-ipvs0');
  links.write([{ kind: 'bindAddress', link: 'kube-ipvs0', address: clusterAddress }]);
  routes.write([
    { kind: 'addRoute', network: net('172.30.0.0/16'), source: nodeAddress },
    { kind: 'addRoute', network: net('fd00:172:30::1/128'), source: undefined },
  ]);
  addSets();
  addEntry('KUBE-NODE-PORT-TCP', { type: 'bitmap:port', port: 30_080 });
  addVirtualServer(clusterAddress, { port: 80 });
  addVirtualServer(nodeAddress, { port: 30_080 });
  nftTables.addTable({ family: 'IPv6', name: 'kube-proxy' });
  rules.text =
    '*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n' +
    '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES\n' +
    '-A KUBE-SERVICES -j RETURN\nCOMMIT';
}

describe('everything of ours goes', () => {
  test('and nothing is left of it', async () => {
    leaveEverything();
    expect(await clean()).toBe(true);
    expect(await ipvs.virtualServers()).toEqual([]);
    expect(await ipsets.sets()).toEqual([]);
    expect(links.hasLink('kube-ipvs0')).toBe(false);
    expect(routes.dump()).toBe('');
    expect(nftTables.dump()).toBe('');
    expect(rules.text).toBe('*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT');
  });
  test('sets of retired names and of odd types too', async () => {
    const odd: readonly SetHeader[] = [
      { name: 'KUBE-NODE-PORT-SCTP', type: 'bitmap:port', firstPort: 0, lastPort: 65_535 },
      { ...setHeader('loopBack', 'IPv4'), name: 'KUBE-IPVS-TEMPORARY' },
      { ...setHeader('ipvsIps', 'IPv6'), name: 'KUBE-CLUSTER-IP' },
    ];
    for (const header of odd) ipsets.create(header);
    expect(await clean()).toBe(true);
    expect(await ipsets.sets()).toEqual([]);
  });
  test('where there is nothing, nothing is done or said', async () => {
    expect(await clean()).toBe(true);
    expect(log.lines()).toEqual([]);
  });
});

describe('nothing of others goes', () => {
  test('a virtual server that no set and no address of ours names', async () => {
    leaveEverything();
    addVirtualServer(foreignAddress, { port: 443 });
    addVirtualServer(nodeAddress, { port: 443, forwarding: 'direct' });
    expect(await clean()).toBe(true);
    const left = await ipvs.virtualServers();
    expect(left.map(({ address, port }) => `${address}:${port}`)).toEqual([
      '203.0.113.9:443',
      '192.168.0.5:443',
    ]);
  });
  test('one in an excluded network, though it looks like ours', async () => {
    leaveEverything();
    expect(await clean({}, ['172.30.0.0/16'])).toBe(true);
    const left = await ipvs.virtualServers();
    expect(left.map(({ address }) => address)).toEqual([clusterAddress]);
  });
  test('sets, tables and devices of other names', async () => {
    ipsets.create({ ...setHeader('ipvsIps', 'IPv4'), name: 'KUBE-ROUTER' });
    nftTables.addTable({ family: 'IPv4', name: 'calico' });
    expect(await clean()).toBe(true);
    expect((await ipsets.sets()).map(({ header }) => header.name)).toEqual(['KUBE-ROUTER']);
    expect(nftTables.dump()).toBe('table ip calico\n');
    expect(links.hasLink('eth0')).toBe(true);
  });
  test('a device kube-ipvs0 that is no dummy device stays, and is named', async () => {
    links.addLink('kube-ipvs0', 'veth');
    expect(await clean()).toBe(false);
    expect(links.hasLink('kube-ipvs0')).toBe(true);
    expect(log.lines().join('\n')).toContain('kube-ipvs0: it is no dummy device');
  });
});

describe('what cannot go', () => {
  test('a set that a rule of others matches on is named with the reason', async () => {
    leaveEverything();
    const destroy = (name: string) => {
      if (name === 'KUBE-CLUSTER-IP') throw new KernelError(`destroy set ${name}`, 'EBUSY');
      ipsets.destroy(name);
    };
    const busy = new Proxy(ipsets, {
      get: (target, key) => {
        if (key === 'destroy') return destroy;
        const member: unknown = Reflect.get(target, key);
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
    expect(await clean({ ipsets: busy })).toBe(false);
    expect((await ipsets.sets()).map(({ header }) => header.name)).toEqual(['KUBE-CLUSTER-IP']);
    expect(log.lines()).toContain(
      'error something stayed {"what":"set KUBE-CLUSTER-IP","reason":"destroy set KUBE-CLUSTER-IP: EBUSY"}',
    );
  });
  test('while a virtual server stays, so does what marks it as ours', async () => {
    leaveEverything();
    const refusing = {
      virtualServers: () => ipvs.virtualServers(),
      realServers: (...id: Parameters<FakeIpvs['realServers']>) => ipvs.realServers(...id),
      write: () => [{ index: 0, error: new KernelError('delete virtual server', 'EBUSY') }],
    } as unknown as FakeIpvs; // what the clean-up calls
    expect(await clean({ ipvs: refusing })).toBe(false);
    expect(links.hasLink('kube-ipvs0')).toBe(true);
    expect((await ipsets.sets()).length).toBe(2 * setIds.length);
    expect(await clean()).toBe(true);
    expect(await ipvs.virtualServers()).toEqual([]);
  });
  test('what could not be read counts as left, and takes along what depends on it', async () => {
    leaveEverything();
    const blind = {
      protocol: () => 7,
      sets: () => Promise.reject(new KernelError('list sets', 'EPERM')),
    } as unknown as FakeIpSets; // what the clean-up calls first
    expect(await clean({ ipsets: blind })).toBe(false);
    expect(await ipvs.virtualServers()).toHaveLength(2);
    expect(links.hasLink('kube-ipvs0')).toBe(true);
    expect(nftTables.dump()).toBe('');
    expect(log.lines()).toContain('error could not clean up {"reason":"list sets: EPERM"}');
  });
  test('what a kernel does not have at all is not missed', async () => {
    const none = new KernelError('ask', 'EOPNOTSUPP');
    const missing = {
      ipvs: undefined,
      nftTables: {
        tables: () => Promise.reject(none),
        otherTables: () => Promise.reject(none),
        deleteTable: () => undefined,
      },
    };
    expect(await clean(missing)).toBe(true);
  });
  test('rules that another program held for a while go in a later round', async () => {
    leaveEverything();
    rules.failure = new KernelError('remove rules', 'EAGAIN');
    let round = 0;
    const read = rules.read.bind(rules);
    rules.read = () => {
      if (++round === 2) rules.failure = undefined;
      return read();
    };
    expect(await clean()).toBe(true);
    expect(rules.text).not.toContain('KUBE-');
  });
});

test('rules in a table that cannot be printed are asked for once; if that fails, something may have stayed', async () => {
  rules.text = "# Table `nat' is incompatible, use 'nft' tool.";
  expect(await clean()).toBe(true);
  firewall.isLocked = true;
  expect(await clean()).toBe(false);
});

test('shows how many of the operations are done, and nothing before and after', async () => {
  addSets();
  const seen: string[] = [];
  const note = () => void seen.push(...progress.current.map(printProgress));
  ipsets.destroy = (name) => {
    note();
    FakeIpSets.prototype.destroy.call(ipsets, name);
  };
  const tables = { tables: async () => (note(), nftTables.tables()) };
  expect(await clean({ nftTables: Object.assign(Object.create(nftTables), tables) })).toBe(true);
  expect(progress.current).toEqual([]);
  const total = setIds.length * 2;
  expect(seen.at(0)).toBe('looking for what kube-proxy left');
  expect(seen.at(1)).toBe(
    `removing what kube-proxy left: 1 of ${total} (${Math.floor(100 / total)} %)`,
  );
  expect(seen.at(total)).toBe(`removing what kube-proxy left: ${total} of ${total} (100 %)`);
});
