/**
 * How long pages of `/debug/ipvs` hold the event loop on a node with very many Services, natively and on a kernel in memory:
 * `hack/run node test/bench/status.ts [services] [endpoints]`. Time is that of the thread's CPU between two turns of the event loop.
 */
import { loopback, parseAddress } from '../../pkg/ip/address.ts';
import { minutes, systemClock } from '../../pkg/runner/clock.ts';
import type { StatusReport } from '../../pkg/status/report.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { setService, setSlice } from '../support/proxier.ts';
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
await stand.stop();

/** The longest stretch and the sum of some work, in milliseconds of CPU. */
async function measured(work: () => Promise<StatusReport>) {
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
