/**
 * The proxier on this process's own network namespace, which must be fresh: `node-process.ts SERVICES ENDPOINTS`. Prints a line of JSON
 * once it has written everything, then one for each line that it reads: `add`, `change` or `memory`. Started by `modes.ts`.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { minutes } from '../../../pkg/runner/clock.ts';
import { Node } from '../node.ts';
import { podsOf, service } from '../objects.ts';
import { changedPods, positions } from './cluster.ts';
import type { Cost } from './modes.ts';

const [services = 0, endpoints = 0] = process.argv.slice(2).map(Number);
const node = new Node({ syncPeriod: minutes(24 * 60), families: ['IPv4'] });
await sleep(50);
print(
  await costOf(async () => {
    node.reportAll(services, endpoints);
    await node.firstSync;
  }),
);

let added = services;
let turn = 0;
for await (const line of createInterface(process.stdin)) {
  if (line === 'add') print(await costOf(add));
  else if (line === 'change') print(await costOf(change));
  else
    print({ kib: Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) });
  // An endpoint that went is deleted half a second later: not while something else is measured.
  await sleep(1000);
}
await node.stop();

async function add(): Promise<void> {
  node.reportService(service(added));
  node.reportSlices(added, podsOf(added, endpoints));
  added++;
  await node.proxier.idle();
}

async function change(): Promise<void> {
  const { middle } = positions(services);
  turn++;
  node.reportSlices(middle, changedPods(middle, { endpoints, turn }));
  await node.proxier.idle();
}

/** Time until the kernel acknowledged the last message, and CPU time of this process and of those that it started. */
async function costOf(work: () => Promise<void>): Promise<Cost> {
  const children = childrenCpu();
  const before = process.cpuUsage();
  const start = performance.now();
  await work();
  const { user, system } = process.cpuUsage(before);
  return {
    wallMs: node.stopwatch.lastEnd - start,
    cpuMs: (user + system) / 1000 + childrenCpu() - children,
  };
}

/** Milliseconds of CPU of the processes that were started and have ended, in steps of ten. */
function childrenCpu(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

function print(value: object): void {
  console.log(JSON.stringify(value));
}
