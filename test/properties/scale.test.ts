import { afterAll, expect, test, vi } from 'vitest';
import { packUid } from '../../pkg/kube/objects/pod-uid.ts';
import type { Change } from '../../pkg/kube/types.ts';
import { unknownPod } from '../../pkg/proxy/desired/pod-identity.ts';
import {
  ExecutionCounter,
  type Executions,
  growth,
  superlinearGrowth,
} from '../support/executions.ts';
import type { Stand } from '../support/proxier.ts';

// What one change costs may depend on its own Service, never on how many others there are; and on a big Service in proportion to its
// size at most, as on many changes at once.

// Modules that another file loaded before are not counted in full.
vi.resetModules();
const counter = await ExecutionCounter.start();
const { ip } = await import('../support/addresses.ts');
const { endpoint, service, servicePort, slice } = await import('../support/objects.ts');
const { remove, Stand: ProxierStand, setService, setSlice } = await import('../support/proxier.ts');

afterAll(() => counter.stop());

const sizes = [10, 50] as const;
const endpoints = 4;

/** A change of the Service with a number, and how long it takes until everything about it is over. */
interface Case {
  readonly name: string;
  readonly change: (index: number) => readonly Change[];
  readonly milliseconds: number;
}

const cases: readonly Case[] = [
  {
    name: 'an endpoint is added',
    change: (index) => [pods(index, endpoints + 1)],
    milliseconds: 0,
  },
  {
    name: 'an endpoint on this node is added',
    change: (index) => [pods(index, endpoints, { nodeName: 'here' })],
    milliseconds: 0,
  },
  {
    name: 'an endpoint is no longer ready',
    change: (index) => [pods(index, endpoints, { ready: false })],
    milliseconds: 0,
  },
  {
    name: 'an endpoint terminates',
    change: (index) => [pods(index, endpoints, { ready: false, terminating: true })],
    milliseconds: 0,
  },
  {
    name: 'an endpoint vanishes',
    change: (index) => [pods(index, endpoints - 1)],
    milliseconds: 10_000,
  },
  {
    name: 'a slice is deleted',
    change: (index) => [remove('EndpointSlice', `s${index}-1`)],
    milliseconds: 10_000,
  },
  {
    name: 'a Service is deleted',
    change: (index) => [remove('Service', `s${index}`)],
    milliseconds: 10_000,
  },
  {
    name: 'a Service is added',
    change: (index) => [
      setService({ ...web(index), name: `new${index}`, clusterIPs: [ip(`172.30.9.${index}`)] }),
    ],
    milliseconds: 10_000,
  },
  {
    name: 'two Services want one address',
    change: (index) => [setService({ ...web(index), name: `new${index}` })],
    milliseconds: 10_000,
  },
  {
    name: 'a Service gets another port',
    change: (index) => [
      setService({ ...web(index), ports: [servicePort({ port: 90, nodePort: 0 })] }),
    ],
    milliseconds: 10_000,
  },
];

test.each(cases)(
  '$name: no step of it grows with the cluster',
  async ({ change, milliseconds }) => {
    const small = await executed(sizes[0], { change, milliseconds });
    const large = await executed(sizes[1], { change, milliseconds });
    expect(growth(small, large)).toEqual([]);
  },
);

test.each(cases)(
  '$name: it fails, and no step of that grows with the cluster',
  async ({ change, milliseconds }) => {
    const context = { change, milliseconds, fails: true };
    const small = await executed(sizes[0], context);
    const large = await executed(sizes[1], context);
    expect(growth(small, large)).toEqual([]);
  },
);

test('growth is noticed', async () => {
  const walk = (size: number) =>
    counter.count(async () => {
      const stand = await started(size);
      await stand.stop();
    });
  expect(growth(await walk(sizes[0]), await walk(sizes[1])).length).toBeGreaterThan(100);
});

/** Something that grows: what there is at a size, and what changes then. */
interface Axis {
  readonly name: string;
  readonly before: (size: number) => readonly Change[];
  readonly change: (size: number) => readonly Change[];
  /** Each change is carried out before the next one is told. */
  readonly isOneByOne?: true;
}

const axes: readonly Axis[] = [
  {
    name: 'a Service with many ports is added',
    before: () => [],
    change: (size) => [setService(manyPorts(size))],
  },
  {
    name: 'a Service with many ports changes',
    before: (size) => [setService(manyPorts(size))],
    change: (size) => [setService({ ...manyPorts(size), affinitySeconds: 60 })],
  },
  {
    name: 'a Service with many ports gets endpoints',
    before: (size) => [setService(manyPorts(size))],
    change: (size) => [
      setSlice(
        slice([endpoint('10.0.0.1')], { name: 'big-1', serviceName: 'big', ports: numbered(size) }),
      ),
    ],
  },
  {
    name: 'a Service with many ports is deleted',
    before: (size) => [setService(manyPorts(size))],
    change: () => [remove('Service', 'big')],
  },
  {
    name: 'one of many endpoints is no longer ready',
    before: (size) => [setService(big()), ...slices(size)],
    change: () => slices(20, (pod) => (pod === 7 ? { ready: false } : {})),
  },
  {
    name: 'one of many endpoints vanishes',
    before: (size) => [setService(big()), ...slices(size)],
    change: () => slices(19),
  },
  {
    name: 'one of many endpoints without a uid is no longer ready',
    before: (size) => [setService(big()), ...slices(size, () => ({ podUid: unknownPod }))],
    change: () => slices(20, (pod) => ({ podUid: unknownPod, ready: pod !== 7 })),
  },
  {
    name: 'many endpoints are told',
    before: () => [setService(big())],
    change: (size) => slices(size),
  },
  {
    name: 'many pods share one address',
    before: () => [setService(big())],
    change: (size) =>
      slices(size, (pod) => ({ address: ip('10.0.0.1'), podUid: packUid(`pod-${pod}`) })),
  },
  {
    name: 'many pods that share one address leave',
    before: (size) => [
      setService(big()),
      ...slices(size, (pod) => ({ address: ip('10.0.0.1'), podUid: packUid(`pod-${pod}`) })),
    ],
    change: (size) =>
      Array.from({ length: size / 20 }, (_, index) => remove('EndpointSlice', `big-${index}`)),
  },
  {
    name: 'many Services lose an endpoint one after the other',
    isOneByOne: true,
    before: (size) => several(size, (index) => [setService(web(index)), pods(index, endpoints)]),
    change: (size) => several(size, (index) => [pods(index, endpoints - 1)]),
  },
  {
    name: 'many Services want one address',
    isOneByOne: true,
    before: () => [],
    change: (size) => several(size, (index) => [setService(rival(index))]),
  },
  {
    name: 'many Services give one address up, the one that holds it first',
    isOneByOne: true,
    before: (size) => several(size, (index) => [setService(rival(index))]),
    change: (size) => several(size, (index) => [remove('Service', `rival${index}`)]),
  },
];

test.each(axes)(
  '$name: no step of it grows faster than that',
  async ({ before, change, isOneByOne = false }) => {
    const factor = 4;
    // Plans are made for 64 virtual servers at once: of many at once, both sizes are well above that.
    const base = isOneByOne ? 70 : 130;
    const executed = async (size: number) => {
      const stand = new ProxierStand({ syncPeriod: 1_000_000 });
      stand.report(...before(size));
      await stand.sync();
      const executions = await counter.count(async () => {
        for (const some of change(size)) {
          stand.report(some);
          if (isOneByOne) await stand.clock.advance(1);
        }
        await stand.settle(10_000);
      });
      await stand.stop();
      return executions;
    };
    const small = await executed(base);
    const large = await executed(base * factor);
    expect(superlinearGrowth(small, { after: large, factor })).toEqual([]);
  },
);

/** A change of one of many endpoints of a Service, 20 in a slice. */
const endpointCases: readonly Case[] = [
  {
    name: 'one is added',
    change: (index) => [manySlices(1, (pod) => (pod === 0 ? addedPod(index) : {}))[0] as Change],
    milliseconds: 0,
  },
  {
    name: 'one is no longer ready',
    change: (index) => [
      manySlices(1, (pod) => (pod === index ? { ready: false } : {}))[0] as Change,
    ],
    milliseconds: 0,
  },
  {
    name: 'one terminates',
    change: (index) => [
      manySlices(1, (pod) =>
        pod === index ? { ready: false, terminating: true } : {},
      )[0] as Change,
    ],
    milliseconds: 10_000,
  },
  {
    name: 'one on this node is no longer ready',
    change: (index) => [
      manySlices(1, (pod) =>
        pod === index ? { nodeName: 'here', ready: false } : {},
      )[0] as Change,
    ],
    milliseconds: 0,
  },
  {
    name: 'one has another pod',
    change: (index) => [
      manySlices(1, (pod) => (pod === index ? { podUid: packUid('another') } : {}))[0] as Change,
    ],
    milliseconds: 0,
  },
  {
    name: 'a slice is told again',
    change: () => [manySlices(1)[0] as Change],
    milliseconds: 0,
  },
];

test.each(endpointCases)(
  'of a Service with many endpoints, $name: no step of it grows with them',
  async ({ change, milliseconds }) => {
    const executedAt = async (size: number) => {
      const stand = new ProxierStand({ syncPeriod: 1_000_000 });
      stand.report(setService(manyEndpoints()), ...manySlices(size / 20));
      await stand.sync();
      const carryOut = async (index: number) => {
        stand.report(...change(index));
        await stand.settle(milliseconds);
      };
      await carryOut(1);
      const executions = await counter.count(() => carryOut(2));
      await stand.stop();
      return executions;
    };
    const small = await executedAt(20);
    const large = await executedAt(2_000);
    expect(growth(small, large).filter((line) => !isAboutDump(line))).toEqual([]);
  },
);

/** The kernel tells of all real servers of a virtual server or of none: what looks after drains has to look at each. */
function isAboutDump(line: string): boolean {
  return line.startsWith('pkg/proxy/graceful/checker.ts ') || line.startsWith('pkg/ipvs/ipvs.ts ');
}

/** A Service with a TCP port, a UDP port and node ports, of which each endpoint serves both. */
function manyEndpoints() {
  return { ...web(0), name: 'many', clusterIPs: [ip('172.30.8.2')] };
}

/** Its slices, 20 endpoints in each. */
function manySlices(
  count: number,
  over: (pod: number) => Parameters<typeof endpoint>[1] = () => ({}),
): readonly Change[] {
  const ports = [
    { name: 'http', protocol: 'TCP', port: 8080 } as const,
    { name: 'dns', protocol: 'UDP', port: 5353 } as const,
  ];
  return Array.from({ length: count }, (_, index) => {
    const some = Array.from({ length: 20 }, (__, pod) =>
      endpoint(`10.9.${index}.${pod}`, over(pod)),
    );
    return setSlice(slice(some, { name: `many-${index}`, serviceName: 'many', ports }));
  });
}

function addedPod(index: number) {
  return { address: ip(`10.10.0.${index}`), podUid: packUid(`added-${index}`) };
}

/** What one change executes in a cluster of a size; the same change of another Service came before, so that nothing is new. */
async function executed(
  size: number,
  {
    change,
    milliseconds,
    fails = false,
  }: Pick<Case, 'change' | 'milliseconds'> & { fails?: boolean },
): Promise<Executions> {
  const stand = await started(size);
  if (fails) stand.kernel.ipvs.fail = () => 'ENOMEM';
  const carryOut = async (index: number) => {
    stand.report(...change(index));
    await stand.settle(milliseconds);
  };
  await carryOut(1);
  const executions = await counter.count(() => carryOut(2));
  await stand.stop();
  return executions;
}

async function started(size: number): Promise<Stand> {
  const stand = new ProxierStand({ syncPeriod: 1_000_000 });
  for (let index = 0; index < size; index++)
    stand.report(setService(web(index)), pods(index, endpoints));
  await stand.sync();
  return stand;
}

function web(index: number) {
  const ports = [
    servicePort({ name: 'http', nodePort: 30_000 + index }),
    servicePort({ name: 'dns', protocol: 'UDP', port: 53 }),
  ];
  return service({ name: `s${index}`, type: 'NodePort', clusterIPs: [clusterIP(index)], ports });
}

function clusterIP(index: number) {
  return ip(`172.30.${index >> 6}.${(index & 63) + 1}`);
}

/** The pods of a Service, the last of which may be different. */
function pods(index: number, count: number, last: Parameters<typeof endpoint>[1] = {}): Change {
  const addresses = Array.from(
    { length: count },
    (_, pod) => `10.${pod}.${index >> 6}.${(index & 63) + 1}`,
  );
  const ports = [
    { name: 'http', protocol: 'TCP', port: 8080 } as const,
    { name: 'dns', protocol: 'UDP', port: 5353 } as const,
  ];
  return setSlice(
    slice(
      addresses.map((address, pod) => endpoint(address, pod === count - 1 ? last : {})),
      { name: `s${index}-1`, serviceName: `s${index}`, ports },
    ),
  );
}

function several(size: number, make: (index: number) => readonly Change[]): readonly Change[] {
  return Array.from({ length: size }, (_, index) => make(index)).flat();
}

/** A Service with a port of which all else is asked. */
function big() {
  return service({ name: 'big', clusterIPs: [ip('172.30.8.1')] });
}

function numbered(size: number) {
  return Array.from({ length: size }, (_, index) =>
    servicePort({ name: `p${index}`, port: index + 1 }),
  );
}

function manyPorts(size: number) {
  return { ...big(), ports: numbered(size) };
}

/** The endpoints of {@link big}, 20 in a slice. */
function slices(size: number, over: (pod: number) => Parameters<typeof endpoint>[1] = () => ({})) {
  return Array.from({ length: Math.ceil(size / 20) }, (_, index) => {
    const count = Math.min(20, size - index * 20);
    const some = Array.from({ length: count }, (__, pod) =>
      endpoint(`10.9.${index}.${pod}`, over(index * 20 + pod)),
    );
    return setSlice(slice(some, { name: `big-${index}`, serviceName: 'big' }));
  });
}

/** One of many that want an address; the first is the oldest. */
function rival(index: number) {
  return { ...big(), name: `rival${index}`, created: index + 1 };
}
