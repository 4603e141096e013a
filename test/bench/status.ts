/**
 * How long pages of `/debug/ipvs`, and its explanations, hold the event loop on a node with very many Services, natively and on a kernel in memory:
 * `hack/run node test/bench/status.ts [services] [endpoints]`. Time is that of the thread's CPU between two turns of the event loop.
 */
import { proxierNames } from '../../cmd/kube-proxy/explain-source.ts';
import type { NodeSources } from '../../pkg/explain/node-sources.ts';
import { ExplainPages } from '../../pkg/explain/pages.ts';
import { loopback, parseAddress } from '../../pkg/ip/address.ts';
import type { Entry } from '../../pkg/ipset/ipset.ts';
import { minutes, systemClock } from '../../pkg/runner/clock.ts';
import { FakeSysctl } from '../../pkg/sysctl/fake.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { type FakeKernel, setService, setSlice } from '../support/proxier.ts';
import { proxierSettings } from '../support/proxier-settings.ts';
import { ShownStand } from '../support/status-pages.ts';
import { printTime } from './run.ts';

const [services = 50_000, endpoints = 2] = process.argv.slice(2).map(Number);

const stand = new ShownStand({ syncPeriod: minutes(60), now: () => systemClock.now() });
for (let index = 0; index < services; index++) {
  const high = index >> 8;
  const low = index & 255;
  const name = `s${index}`;
  const clusterIPs = [
    parseAddress(`172.${30 + (high >> 8)}.${high & 255}.${low}`) ?? loopback('IPv4'),
  ];
  const list = Array.from({ length: endpoints }, (_, pod) =>
    endpoint(`10.${pod & 255}.${high ^ (pod >> 8)}.${low}`),
  );
  stand.report(
    setService(service({ name, clusterIPs })),
    setSlice(slice(list, { name: `${name}-1`, serviceName: name })),
  );
}
await stand.sync();

for (const parameters of [
  '',
  '',
  'limit=500',
  'limit=500',
  'name=s77',
  'address=10.0.7.7',
  'limit=500&continue=shop/s4',
]) {
  const { longest, total, page } = await measured(() => stand.page(parameters));
  const found = `${page.services.length} Services, ${JSON.stringify(page).length} characters`;
  console.log(
    `${parameters || '(none)'}: longest ${printTime(longest)}, in all ${printTime(total)}: ${found}`,
  );
}
const sources = await readSources(stand.kernel);
const settings = { ...proxierSettings, serviceOptionsOf: undefined };
for (const to of ['172.30.0.77:80', '192.168.0.10:30080', 'svc/shop/s77:80']) {
  const pages = new ExplainPages({
    clock: systemClock,
    names: proxierNames(stand.proxier.view),
    settings,
    open: async () => ({ sources, close() {} }),
    notes: async () => [],
  });
  const question = { from: 'outside=203.0.113.9', to, in: 'eth0', output: 'text' };
  const parameters = new URLSearchParams(question);
  const { longest, total, page } = await measured(() =>
    pages.answer(parameters, new AbortController().signal),
  );
  const found = 'body' in page ? page.body.trim().split('\n').at(-1) : JSON.stringify(page);
  console.log(`explain ${to}: longest ${printTime(longest)}, in all ${printTime(total)}: ${found}`);
}
await stand.stop();

/** Interfaces that return what a kernel holds now, at no cost. */
async function readSources(kernel: FakeKernel): Promise<NodeSources> {
  const { ipvs, ipsets, links, ruleTables, nftTables, conntrack, connections, neighbours } = kernel;
  const virtualServers = await ipvs.virtualServers();
  const sets = await ipsets.sets();
  const addresses = await links.addresses();
  const names = await links.names();
  const rules = await ruleTables.read();
  const entries = new Map<string, readonly Entry[]>();
  for (const { header } of sets) entries.set(header.name, await ipsets.entries(header.name));
  return {
    ipvs: { virtualServers: async () => virtualServers, realServers: (id) => ipvs.realServers(id) },
    ipsets: { sets: async () => sets, entries: async (name) => entries.get(name) ?? [] },
    links: { addresses: async () => addresses, names: async () => names },
    rules: { read: async () => rules },
    nftTables,
    conntrack,
    connections,
    neighbours,
    sysctl: new FakeSysctl({ values: { 'net/ipv4/vs/conntrack': '1' } }),
    sysfs: new FakeSysctl({ values: {} }),
  };
}

/** The longest stretch and the sum of some work, in milliseconds of CPU. */
async function measured<Page>(work: () => Promise<Page>) {
  let last = process.threadCpuUsage();
  let longest = 0;
  let total = 0;
  let isOver = false;
  const note = () => {
    const { user, system } = process.threadCpuUsage(last);
    last = process.threadCpuUsage();
    const milliseconds = (user + system) / 1000;
    longest = Math.max(longest, milliseconds);
    total += milliseconds;
  };
  const watching = (async () => {
    while (!isOver) {
      await new Promise((resolve) => setImmediate(resolve));
      note();
    }
  })();
  const page = await work();
  isOver = true;
  await watching;
  return { longest, total, page };
}
