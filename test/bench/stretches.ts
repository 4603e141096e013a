/**
 * How long single stretches of work hold the event loop where a cluster is unusually big, natively and without a kernel:
 * `hack/run node test/bench/stretches.ts`. Time is that of the thread's CPU, as the median and the longest of several runs; the first
 * ones find a cold engine.
 */
import { loopback, parseAddress } from '../../pkg/ip/address.ts';
import type { Entry } from '../../pkg/ipset/ipset.ts';
import { ObjectTracker } from '../../pkg/kube/api/tracker.ts';
import { Reducer } from '../../pkg/kube/objects/reduce.ts';
import { Store } from '../../pkg/proxy/changes/store.ts';
import type { NodeContext } from '../../pkg/proxy/desired/footprint.ts';
import { footprintsByPort } from '../../pkg/proxy/desired/footprints.ts';
import { Keys } from '../../pkg/proxy/desired/keys.ts';
import { Ledger } from '../../pkg/proxy/desired/ledger.ts';
import type { PortFootprint } from '../../pkg/proxy/desired/port-footprint.ts';
import { setHeader } from '../../pkg/proxy/desired/sets.ts';
import { planSwap } from '../../pkg/proxy/plan/set-replacement.ts';
import { endpoint, service, servicePort, slice } from '../support/objects.ts';
import { setService } from '../support/proxier.ts';
import { service as rawService } from './objects.ts';
import { printTime } from './run.ts';

const node: NodeContext = {
  nodeName: 'here',
  zone: 'zone-1',
  scheduler: 'rr',
  families: ['IPv4', 'IPv6'],
  nodePortAddresses: [],
  nodeAddresses: new Set(),
  externalIPs: true,
  nodeIPs: [loopback('IPv4'), loopback('IPv6')],
};

const manyPorts = Array.from({ length: 20_000 }, (_, index) =>
  servicePort({ name: `p${index}`, port: index + 1 }),
);
const bigSlices = Array.from({ length: 100 }, (_, index) =>
  slice(
    Array.from({ length: 100 }, (__, pod) =>
      endpoint(`10.9.${index}.${pod}`, { zoneHints: [`zone-${pod % 3}`] }),
    ),
    { name: `web-${index}` },
  ),
);

const rawManyPorts = {
  ...rawService(1),
  spec: {
    ...(rawService(1) as { spec: object }).spec,
    ports: manyPorts.map(({ name, port, protocol }) => ({ name, port, protocol })),
  },
};
stretch('a Service of 20,000 ports is reduced', () => {
  const reducer = new Reducer();
  return [() => reducer.change('Service', rawManyPorts)];
});

const bigService = { service: service(), slices: bigSlices, vanished: [] };
stretch('a step of the footprint of a port with 10,000 endpoints', () =>
  steps(footprintsByPort(bigService, node)),
);
const portService = { service: service({ ports: manyPorts }), slices: [], vanished: [] };
stretch('a step of the footprint of a Service of 20,000 ports', () =>
  steps(footprintsByPort(portService, node)),
);

stretch('the ledger takes a port with 10,000 endpoints', () => {
  const ledger = new Ledger();
  const first = bigFootprint();
  const second = bigFootprint();
  const enter = (some: PortFootprint) => () => ledger.set(some, { touched: new Keys() });
  return [enter(first), enter(second)];
});

stretch('a step of marking 50,000 Services', () => {
  const store = new Store(() => 0);
  for (let index = 0; index < 50_000; index++)
    store.apply(setService(service({ name: `s${index}` })));
  store.takeDirty();
  store.markDirty(() => true);
  return Array.from({ length: 26 }, () => () => store.markSome());
});

stretch('the end of a list of 50,000 objects, and a step of telling that 20,000 are gone', () => {
  const none = () => undefined;
  const tracker = new ObjectTracker('Service', {
    set: none,
    delete: none,
    synced: none,
    unconfirmed: none,
    confirmed: none,
  });
  const read = (from: number) => {
    tracker.startPass();
    for (let index = from; index < 50_000; index++)
      tracker.item({
        metadata: { namespace: 'shop', name: `s${index}`, resourceVersion: `${index + 1}` },
        spec: {},
      });
  };
  read(0);
  tracker.endPass('50001');
  read(20_000);
  return [
    () => tracker.endPass('50002'),
    ...Array.from({ length: 80 }, () => () => tracker.reportGone(500)),
  ];
});

const grownSet = Array.from({ length: 65_536 }, (_, number): Entry => {
  const ip = parseAddress(`10.9.${number >> 8}.${number & 0xff}`) ?? loopback('IPv4');
  return { type: 'hash:ip,port', ip, protocol: 'TCP', port: 80 };
});
for (const size of [grownSet.length, 1024])
  stretch(`${size} of the operations that grow a set of 65,536 entries`, () => {
    const header = setHeader('clusterIp', 'IPv4', 131_072);
    const found = { header, hasExtensions: false, references: 0, entryCount: grownSet.length };
    const wanted = { family: 'IPv4', wanted: header, found, isUsable: true, entries: [] } as const;
    const { sets } = planSwap({
      leftover: wanted,
      wantedEntries: grownSet,
      mostReferences: undefined,
    });
    const operations = sets[0]?.operations[Symbol.iterator]();
    const pieces = Array.from({ length: Math.ceil(grownSet.length / size) });
    return pieces.map(() => () => Array.from({ length: size }, () => operations?.next().value));
  });

function bigFootprint(): PortFootprint {
  for (const step of footprintsByPort(bigService, node)) if (step !== undefined) return step;
  throw new Error('the Service has no port');
}

/** Each step of a generator, one by one. */
function* steps(generator: Iterator<unknown>): Generator<() => void> {
  for (let isOver = false; !isOver; )
    yield () => {
      isOver = generator.next().done === true;
    };
}

/** Prints how long the longest piece of some work takes. */
function stretch(name: string, prepare: () => Iterable<() => unknown>): void {
  const runs = Array.from({ length: 9 }, () => {
    let longest = 0;
    for (const piece of prepare()) {
      const start = process.threadCpuUsage();
      piece();
      const { user, system } = process.threadCpuUsage(start);
      longest = Math.max(longest, (user + system) / 1000);
    }
    return longest;
  });
  const sorted = runs.toSorted((one, other) => one - other);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  console.log(`${name}: ${printTime(median)}, at most ${printTime(sorted.at(-1) ?? 0)}`);
}
