/**
 * What drains cost, and how soon they end: `npm run bench:drains`. Prints Markdown for `docs/graceful-termination.md`, and fails if a
 * real server outlives its last connection by more than the five seconds between two looks, and one for a busy machine.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ip } from '../support/addresses.ts';
import { dumpsByMinute } from '../support/drain-dumps.ts';
import { Network } from '../support/network/network.ts';
import { serve } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { setService, setSlice } from '../support/proxier.ts';
import { connect } from '../support/stream.ts';

const loads = [
  { drains: 0, virtualServers: 1_000 },
  { drains: 10, virtualServers: 10 },
  { drains: 10, virtualServers: 1 },
  { drains: 1_000, virtualServers: 1_000 },
  { drains: 1_000, virtualServers: 100 },
] as const;

console.log('| drains | virtual servers | dumps in the first minute | the second | the tenth |');
console.log('|---|---|---|---|---|');
for (const load of loads) {
  const dumps = await dumpsByMinute(load, 10);
  const cells = [load.drains, load.virtualServers, dumps[0], dumps[1], dumps[9]];
  console.log(`| ${cells.map((cell) => Number(cell).toLocaleString('en')).join(' | ')} |`);
}

/** How many drains end in each way. */
const counts = { reset: 12, closed: 4 } as const;
type Way = keyof typeof counts;
const ways = Object.entries(counts).flatMap(([way, count]) =>
  Array.from({ length: count }, () => way as Way),
);

const network = new Network();
const pod = network.addPod('pod', [ip('10.0.1.1')]);
const caller = network.addPod('caller', [ip('10.0.1.11')]);
const proxy = new NodeProxy(network.node.namespace);
const virtualServers = ways.map((_, index) =>
  serve(pod, { protocol: 'TCP', port: portOf(index), address: ip('10.0.1.1') }),
);
const report = (ready: boolean) =>
  proxy.report(
    ...ways.map((_, index) => {
      const ports = [{ name: '', protocol: 'TCP', port: portOf(index) } as const];
      const name = `s${index}`;
      return setSlice(slice([endpoint('10.0.1.1', { ready })], { name, serviceName: name, ports }));
    }),
  );

/** When the kernel said that a real server has no connection left, and when that it is there no more. */
const emptyAt = new Map<number, number>();
const goneAt = new Map<number, number>();

try {
  proxy.report(...ways.map((_, index) => setService(serviceOf(index))));
  report(true);
  await proxy.settled();
  const targets = ways.map((way, index) => ({ way, address: ip(addressOf(index)) }));
  const open = [];
  for (const { way, address } of targets) {
    if (way === 'reset') open.push(await connect(caller, { protocol: 'TCP', address, port: 80 }));
    // One that is closed by both sides before the drain begins: the kernel knows of it for 120 s.
    else await askAndClose(`${address}`);
  }
  report(false);
  await proxy.settled();
  // They end at any time between two looks.
  for (const [index, connection] of open.entries())
    void sleep(1_000 + 1_370 * index).then(() => connection.close());
  const end = performance.now() + 240_000;
  while (goneAt.size < ways.length && performance.now() < end) {
    look();
    await sleep(20);
  }
} finally {
  for (const virtualServer of virtualServers) virtualServer.close();
  await proxy.stop();
  network.close();
}

console.log(`\nLinux ${release()}\n`);
console.log(
  '| connections | drains | from both counters 0 to the deletion: shortest | median | longest |',
);
console.log('|---|---|---|---|---|');
for (const way of Object.keys(counts) as Way[]) {
  const delays = ways
    .flatMap((some, index) => (some === way ? [delayOf(index)] : []))
    .toSorted((one, other) => one - other);
  const cells = [delays[0], delays[delays.length >> 1], delays.at(-1)];
  console.log(
    `| ${way} | ${delays.length} | ${cells.map((delay) => `${((delay ?? Number.NaN) / 1_000).toFixed(1)} s`).join(' | ')} |`,
  );
  if (!((delays.at(-1) ?? Number.NaN) <= 6_000)) process.exitCode = 1;
}

/** The server is in this process, and must not wait for its client. */
async function askAndClose(address: string): Promise<void> {
  const script = `exec 3<>/dev/tcp/${address}/80; echo -n x >&3; head -c1 <&3`;
  const command = ['netns', 'exec', caller.namespace.name, 'bash', '-c', script];
  await promisify(execFile)('ip', command, { timeout: 30_000 });
}

function look(): void {
  const now = performance.now();
  const present = new Set<number>();
  for (const line of readFileSync('/proc/net/ip_vs', 'utf8').split('\n')) {
    const [, port, active, inactive] = /-> \w{8}:(\w{4}) +\w+ +\d+ +(\d+) +(\d+)/.exec(line) ?? [];
    if (port === undefined) continue;
    const index = Number.parseInt(port, 16) - portOf(0);
    present.add(index);
    if (active === '0' && inactive === '0' && !emptyAt.has(index)) emptyAt.set(index, now);
  }
  for (const index of ways.keys())
    if (!present.has(index) && !goneAt.has(index)) goneAt.set(index, now);
}

/** Infinite for one that is still there; 0 for one that went before anybody saw it empty. */
function delayOf(index: number): number {
  const gone = goneAt.get(index) ?? Number.POSITIVE_INFINITY;
  return gone - (emptyAt.get(index) ?? gone);
}

function portOf(index: number): number {
  return 9_000 + index;
}

function addressOf(index: number): string {
  return `172.30.0.${1 + index}`;
}

function serviceOf(index: number) {
  return service({ name: `s${index}`, clusterIPs: [ip(addressOf(index))] });
}
