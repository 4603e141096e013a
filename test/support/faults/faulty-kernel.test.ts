import { describe, expect, test } from 'vitest';
import type { Flow } from '../../../pkg/conntrack/conntrack.ts';
import { FakeConntrack } from '../../../pkg/conntrack/fake.ts';
import type { IpvsWrite, VirtualServer } from '../../../pkg/ipvs/ipvs.ts';
import { FakeResetter } from '../../../pkg/reset/fake.ts';
import { FakeSysctl } from '../../../pkg/sysctl/fake.ts';
import { ip, net } from '../addresses.ts';
import { FakeKernel } from '../proxier.ts';
import { virtualServerOf } from '../virtual-server.ts';
import type { Fault, FaultSource, KernelCall } from './fault.ts';
import { fallibleCalls, faultyKernel, type KernelInterfaces } from './faulty-kernel.ts';

function start(faults: FaultSource) {
  const kernel = new FakeKernel();
  const conntrack = new FakeConntrack();
  const fakes = { resetter: new FakeResetter(), conntrack, sysctl: someSysctl() };
  const { ipvs, connections, ipsets, links, routes, firewall, neighbours } = kernel;
  const faulty = faultyKernel(
    { ipvs, connections, ipsets, links, routes, firewall, neighbours, ...fakes },
    faults,
  );
  return { kernel, faulty, ...fakes };
}

function someSysctl(): FakeSysctl {
  return new FakeSysctl({ values: { 'net/ipv4/ip_forward': '0' } });
}

function virtualServer(last: number): VirtualServer {
  return virtualServerOf(ip(`172.30.0.${last}`));
}

const three = [1, 2, 3].map(
  (last): IpvsWrite => ({ kind: 'addVirtualServer', virtualServer: virtualServer(last) }),
);

/** Only the write about one virtual server is struck. */
function onVirtualServer(last: number, fault: Fault) {
  return (call: KernelCall) =>
    !call.isWholeBatch && JSON.stringify(call.arguments).includes(`172.30.0.${last}"`)
      ? fault
      : undefined;
}

function onWholeBatch(fault: Fault) {
  return ({ isWholeBatch }: KernelCall) => (isWholeBatch ? fault : undefined);
}

describe('a write of a batch', () => {
  test.each([
    ['that is refused is not done', { code: 'EBUSY', isDone: false }, '1 3'],
    ['whose answer is lost is done', { code: 'ENOBUFS', isDone: true }, '1 2 3'],
  ] as const)('%s, and the others are done', (_, fault, expected) => {
    const { kernel, faulty } = start(onVirtualServer(2, fault));
    const failures = faulty.ipvs.write(three);
    expect(failures.map(({ index }) => index)).toEqual([1]);
    expect(failures[0]?.error).toMatchObject({ code: fault.code });
    expect(served(kernel)).toBe(expected);
  });

  test('that the kernel refuses keeps its own index and code beside an injected one', () => {
    const { kernel, faulty } = start(onVirtualServer(1, { code: 'EIO', isDone: false }));
    kernel.ipvs.write(three.slice(2));
    const failures = faulty.ipvs.write(three);
    expect(failures).toMatchObject([
      { index: 0, error: { code: 'EIO' } },
      { index: 2, error: { code: 'EEXIST' } },
    ]);
  });
});

describe('a whole batch', () => {
  test('that is refused does nothing, each write with the same code', () => {
    const { kernel, faulty } = start(onWholeBatch({ code: 'ENOMEM', isDone: false }));
    expect(faulty.ipvs.write(three)).toMatchObject(
      [0, 1, 2].map((index) => ({ index, error: { code: 'ENOMEM' } })),
    );
    expect(served(kernel)).toBe('');
  });

  test('whose answer is lost does all', () => {
    const { kernel, faulty } = start(onWholeBatch({ code: 'ETIMEDOUT', isDone: true }));
    expect(faulty.ipvs.write(three)).toHaveLength(3);
    expect(served(kernel)).toBe('1 2 3');
  });

  test('may throw', () => {
    const thrown = { code: 'EIO', isDone: true, isThrown: true } as const;
    const { kernel, faulty } = start(onWholeBatch(thrown));
    expect(() => faulty.ipvs.write(three)).toThrow('ipvs.write: EIO (injected)');
    expect(served(kernel)).toBe('1 2 3');
  });
});

describe('a single call', () => {
  const refused = () => ({ code: 'EPERM', isDone: false }) as const;
  const lost = () => ({ code: 'ETIMEDOUT', isDone: true }) as const;

  test('that is refused is not done', () => {
    const { kernel, faulty } = start(refused);
    expect(() => faulty.links.ensureDummy('kube-ipvs0')).toThrow('EPERM');
    expect(kernel.links.hasLink('kube-ipvs0')).toBe(false);
  });

  test('whose answer is lost is done', () => {
    const { kernel, faulty } = start(lost);
    expect(() => faulty.links.ensureDummy('kube-ipvs0')).toThrow('ETIMEDOUT');
    expect(kernel.links.hasLink('kube-ipvs0')).toBe(true);
  });

  test('rejects if that is how it fails', async () => {
    const { kernel, faulty } = start(lost);
    const chain = { table: 'nat', name: 'KUBE-SERVICES', rules: [] } as const;
    const applied = faulty.firewall.apply('IPv4', { chains: [chain], jumps: [] });
    await expect(applied).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    expect(kernel.firewall.dump('IPv4')).toContain('KUBE-SERVICES');
  });

  test('of a dump that breaks off may have told all before', async () => {
    const { conntrack, faulty } = start(lost);
    conntrack.insert(flow(1));
    const seen: unknown[] = [];
    const dump = faulty.conntrack.dump({ family: 'IPv4' }, (some) => seen.push(some));
    await expect(dump).rejects.toThrow('ETIMEDOUT');
    expect(seen).toHaveLength(1);
  });
});

test('flows are all tried, and then the first failure is thrown', () => {
  const { conntrack, faulty } = start(({ arguments: [some] }) =>
    JSON.stringify(some).includes(':1001') ? { code: 'EBUSY', isDone: false } : undefined,
  );
  const flows = [0, 1, 2].map((number) => conntrack.insert(flow(1000 + number)));
  expect(() => faulty.conntrack.delete(flows)).toThrow('EBUSY');
  expect(conntrack.print()).toContain('sport=1001');
  expect(conntrack.print().split('\n')).toHaveLength(1);
});

test('every call of every interface fails when it is struck, and works when it is not', async () => {
  let fault: Fault | undefined = { code: 'EIO', isDone: false };
  const asked = new Set<string>();
  const { faulty } = start(({ name }) => {
    asked.add(name);
    return fault;
  });
  for (const name of fallibleCalls()) await expect(outcome(faulty, name), name).resolves.toBe(true);
  expect([...asked].sort()).toEqual([...fallibleCalls()].sort());
  fault = undefined;
  for (const name of fallibleCalls().filter((some) =>
    /[.](write|info|sets|dump|canReach)$/.test(some),
  ))
    await expect(outcome(faulty, name), name).resolves.toBe(false);
});

/** Calls one method; whether an injected fault came back, in whatever way. */
async function outcome(faulty: KernelInterfaces, name: string): Promise<boolean> {
  const call = calls[name];
  if (call === undefined) throw new Error(`this test does not call ${name}`);
  try {
    const failures = await call(faulty);
    return Array.isArray(failures) && failures.some(({ error }) => /injected/.test(String(error)));
  } catch (error) {
    return /injected/.test(String(error));
  }
}

const header = { name: 'KUBE-X', type: 'bitmap:port', firstPort: 0, lastPort: 9 } as const;
const ruleset = { chains: [], jumps: [] };
const someConnection = {
  server: ip('172.30.0.1'),
  serverPort: 80,
  client: ip('10.0.1.1'),
  clientPort: 1024,
};
const sysctlPath = 'net/ipv4/ip_forward';

const calls: Readonly<Record<string, (kernel: KernelInterfaces) => unknown>> = {
  'ipvs.write': ({ ipvs }) => ipvs.write(three),
  'ipvs.virtualServers': ({ ipvs }) => ipvs.virtualServers(),
  'ipvs.virtualServer': ({ ipvs }) => ipvs.virtualServer(virtualServer(1)),
  'ipvs.realServers': ({ ipvs }) => ipvs.realServers(virtualServer(1)),
  'ipvs.info': ({ ipvs }) => ipvs.info(),
  'ipvs.timeouts': ({ ipvs }) => ipvs.timeouts(),
  'ipvs.setTimeouts': ({ ipvs }) => ipvs.setTimeouts({ tcp: 1, tcpFin: 1, udp: 1 }),
  'ipsets.protocol': ({ ipsets }) => ipsets.protocol(),
  'ipsets.create': ({ ipsets }) => ipsets.create(header),
  'ipsets.swap': ({ ipsets }) => ipsets.swap('KUBE-X', 'KUBE-X'),
  'ipsets.destroy': ({ ipsets }) => ipsets.destroy('KUBE-X'),
  'ipsets.write': ({ ipsets }) =>
    ipsets.write([{ kind: 'addEntry', set: 'KUBE-X', entry: { type: 'bitmap:port', port: 1 } }]),
  'ipsets.sets': ({ ipsets }) => ipsets.sets(),
  'ipsets.entries': ({ ipsets }) => ipsets.entries('KUBE-X'),
  'links.ensureDummy': ({ links }) => links.ensureDummy('x'),
  'links.hasLink': ({ links }) => links.hasLink('x'),
  'links.isDummy': ({ links }) => links.isDummy('x'),
  'links.deleteLink': ({ links }) => links.deleteLink('x'),
  'links.addresses': ({ links }) => links.addresses(),
  'links.names': ({ links }) => links.names(),
  'links.write': ({ links }) =>
    links.write([{ kind: 'bindAddress', link: 'lo', address: ip('172.30.0.1') }]),
  'routes.routes': ({ routes }) => routes.routes(),
  'routes.write': ({ routes }) =>
    routes.write([{ kind: 'deleteRoute', network: net('172.30.0.1/32') }]),
  'firewall.capabilities': ({ firewall }) => firewall.capabilities('IPv4'),
  'firewall.apply': ({ firewall }) => firewall.apply('IPv4', ruleset),
  'firewall.check': ({ firewall }) => firewall.check('IPv4', ruleset),
  'firewall.remove': ({ firewall }) => firewall.remove('IPv4', ruleset),
  'connections.dump': ({ connections }) => connections.dump({ limit: 1 }, () => undefined),
  'conntrack.dump': ({ conntrack }) => conntrack.dump({ family: 'IPv4' }, () => undefined),
  'conntrack.delete': ({ conntrack }) => conntrack.delete([{ ...flow(1), id: 1 }]),
  'conntrack.add': ({ conntrack }) => conntrack.add([flow(1)], { seconds: 1 }),
  'neighbours.canReach': ({ neighbours }) => neighbours.canReach(ip('10.0.0.1')),
  'neighbours.isLocal': ({ neighbours }) => neighbours.isLocal(ip('10.0.0.1')),
  'neighbours.route': ({ neighbours }) => neighbours.route(ip('10.0.0.1')),
  'resetter.challenge': ({ resetter }) => resetter.challenge(someConnection),
  'resetter.abort': ({ resetter }) => resetter.abort(someConnection),
  'sysctl.read': ({ sysctl }) => sysctl.read(sysctlPath),
  'sysctl.write': ({ sysctl }) => sysctl.write(sysctlPath, '1'),
};

function flow(sourcePort: number): Omit<Flow, 'id'> {
  const source = ip('10.0.1.1');
  const destination = ip('172.30.0.1');
  const original = { source, destination, sourcePort, destinationPort: 80 };
  const reply = {
    source: destination,
    destination: source,
    sourcePort: 80,
    destinationPort: sourcePort,
  };
  return { protocol: 'TCP', original, reply, zone: 0, mark: 0, status: 0, tcpState: 'ESTABLISHED' };
}

/** The last numbers of the addresses of all virtual servers. */
function served({ ipvs }: FakeKernel): string {
  return [...ipvs.dump().matchAll(/172[.]30[.]0[.](\d+)/g)].map(([, last]) => last).join(' ');
}
