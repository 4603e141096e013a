import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ip } from '../../support/addresses.ts';
import { startApiServer } from '../../support/apiserver/apiserver.ts';
import { Network, nodeAddresses } from '../../support/network/network.ts';
import { Deployment } from './deployment.ts';
import { keepAlive, queries, StreamTally, shortConnections, streams, Tally } from './loads.ts';
import { ports } from './pod.ts';

// A rolling update under load, once for each scheduler and each way to end drains; see docs/graceful-termination.md.

/** The ways to end drains, and the kernel settings that they run with. */
const modes = {
  pod: { flags: [], sysctls: [] },
  connections: { flags: ['--ipvs-graceful-termination=connections'], sysctls: [] },
  'old kernel': {
    flags: ['--ipvs-graceful-termination=connections'],
    sysctls: ['net.ipv4.vs.conn_reuse_mode=0', 'net.ipv4.vs.expire_nodest_conn=0'],
  },
} as const;

type Mode = keyof typeof modes;

/** What one run counted. */
interface Result {
  readonly mode: Mode;
  readonly scheduler: string;
  readonly tallies: readonly Tally[];
  readonly waiting: StreamTally;
  readonly talking: StreamTally;
  readonly flapping: StreamTally;
  /** Streams to a machine that was lost in silence. */
  readonly lost: StreamTally | undefined;
}

async function run(mode: Mode, scheduler: string): Promise<Result> {
  const network = new Network();
  const client = network.addClient('client', [ip('203.0.113.7')]);
  const pod = network.addPod('clientpod', [ip('10.9.0.1')]);
  const leave = network.node.namespace.enter();
  const server = await startApiServer();
  const folder = mkdtempSync(join(tmpdir(), 'rollout-'));
  writeFileSync(join(folder, 'kubeconfig'), server.kubeconfig());
  server.create({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'here' },
    spec: { podCIDR: '10.0.0.0/8', podCIDRs: ['10.0.0.0/8'] },
  });
  const proxy = spawn(
    fileURLToPath(new URL('../../../hack/kube-proxy', import.meta.url)),
    [
      `--kubeconfig=${folder}/kubeconfig`,
      '--hostname-override=here',
      '--proxy-mode=ipvs',
      '--cluster-cidr=10.0.0.0/8',
      `--ipvs-scheduler=${scheduler}`,
      ...modes[mode].flags,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  leave();
  const deployment = new Deployment(server, { network, pods: 13 });
  try {
    await deployment.scale(4);
    await untilServed(network);
    for (const setting of modes[mode].sysctls) network.node.namespace.run('sysctl', '-qw', setting);
    const hosts = { network, client, pod };
    const rolled = await underLoad(deployment, hosts);
    const loss = scheduler === 'rr' ? await afterLoss(deployment, hosts) : undefined;
    return {
      mode,
      scheduler,
      ...rolled,
      tallies: [...rolled.tallies, ...(loss?.tallies ?? [])],
      lost: loss?.lost,
    };
  } finally {
    proxy.kill('SIGTERM');
    await sleep(500);
    proxy.kill('SIGKILL');
    deployment.close();
    await server.close();
    network.close();
  }
}

async function untilServed(network: Network): Promise<void> {
  for (let tries = 0; tries < 120; tries++) {
    const servers = network.node.namespace
      .run('ipvsadm', '-Sn')
      .split('\n')
      .filter((line) => line.startsWith('-a'));
    if (servers.length >= 4 * 4 * 2) return;
    await sleep(250);
  }
  throw new Error('the Service did not come up in time');
}

type Host = Network['node'];

/** Everything at once: the loads, and while they run a rolling update with each ending, flapping readiness, and a lost machine. */
async function underLoad(
  deployment: Deployment,
  { network, client, pod }: { network: Network; client: Host; pod: Host },
): Promise<Omit<Result, 'mode' | 'scheduler' | 'lost'>> {
  const stop = new AbortController();
  const { signal } = stop;
  const vip = ip('172.30.0.50');
  const to = (host: Host, name: keyof typeof ports) => {
    const isOutside = host === client;
    const port =
      name === 'dns'
        ? isOutside
          ? 30_053
          : 53
        : isOutside
          ? 30_000 + (ports[name] % 1_000)
          : ports[name];
    return {
      host,
      address: isOutside ? nodeAddresses.IPv4 : vip,
      port,
      gone: deployment.gone,
      signal,
    };
  };
  const tallies = [
    'short, pod',
    'short, node',
    'short, outside',
    'keep-alive, pod',
    'keep-alive, outside',
    'dns, pod',
  ].map((name) => new Tally(name));
  const [waiting, talking, flapping] = [new StreamTally(), new StreamTally(), new StreamTally()];
  const [a, b, c, d, e, f] = tallies as [Tally, Tally, Tally, Tally, Tally, Tally];
  const stream = { endedAt: (name: string) => deployment.endedAt.get(name), count: 2 };
  const loads = [
    shortConnections(a, to(pod, 'short')),
    shortConnections(b, to(network.node, 'short')),
    shortConnections(c, to(client, 'short')),
    keepAlive(d, to(pod, 'keepAlive')),
    keepAlive(e, to(client, 'keepAlive')),
    queries(f, to(pod, 'dns')),
    ...[pod, network.node, client].map((host) =>
      streams(waiting, { ...to(host, 'stream'), ...stream, isWaiting: true }),
    ),
    ...[pod, network.node, client].map((host) =>
      streams(talking, { ...to(host, 'stream'), ...stream, isWaiting: false }),
    ),
  ];
  await sleep(1_000);
  await deployment.roll({ preStop: 1_000, grace: 1_500 });
  await deployment.roll({ preStop: 5_000, grace: 1_500 });
  const harmedBefore = waiting.harmed + talking.harmed;
  await deployment.flap(6);
  flapping.harmed = waiting.harmed + talking.harmed - harmedBefore;
  await sleep(3_000);
  stop.abort();
  await Promise.all(loads);
  return { tallies, waiting, talking, flapping };
}

/** A machine is lost in silence, and the slice says so five seconds later. */
async function afterLoss(
  deployment: Deployment,
  { network, client, pod }: { network: Network; client: Host; pod: Host },
): Promise<{ readonly tallies: readonly Tally[]; readonly lost: StreamTally }> {
  const stop = new AbortController();
  const { signal } = stop;
  const { gone } = deployment;
  const vip = ip('172.30.0.50');
  const lost = new StreamTally();
  const endedAt = (name: string) => deployment.endedAt.get(name);
  const to = {
    address: vip,
    port: ports.stream,
    gone,
    signal,
    endedAt,
    isWaiting: false,
    count: 4,
    patience: 120_000,
  };
  const held = [pod, network.node].map((host) => streams(lost, { ...to, host }));
  await sleep(1_000);
  const name = await deployment.lose(5_000);
  const lostAtOnce = lost.openTo.get(name) ?? 0;
  const tallies = [
    new Tally('short, pod, after the loss'),
    new Tally('short, outside, after the loss'),
  ];
  const [a, b] = tallies as [Tally, Tally];
  const loads = [
    shortConnections(a, { host: pod, address: vip, port: ports.short, gone, signal }),
    shortConnections(b, {
      host: client,
      address: nodeAddresses.IPv4,
      port: 30_000 + (ports.short % 1_000),
      gone,
      signal,
    }),
  ];
  // The minute of unanswered packets begins with the first of them.
  for (let second = 0; second < 90 && lost.told + lost.silent < lostAtOnce; second++)
    await sleep(1_000);
  stop.abort();
  await Promise.all([...loads, ...held]);
  return { tallies, lost };
}

const head = [
  'drains',
  'scheduler',
  'load',
  'ok',
  'failed',
  'refused',
  'reset',
  'timeout',
  'unreachable',
  'from gone',
  'longest gap, ms',
];
const streamHead = [
  'drains',
  'scheduler',
  'streams',
  'told',
  'silent',
  'harmed',
  'longest until the client knew, ms',
];

function printTable(
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  return [columns, columns.map(() => '---'), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

function print(results: readonly Result[]): string {
  const requests = results.flatMap(({ mode, scheduler, tallies }) =>
    tallies.map(({ name, ok, failed, failures, fromGone, longestGap }) => {
      const { refused, reset, timeout, unreachable } = failures;
      return [
        mode,
        scheduler,
        name,
        ok,
        failed,
        refused,
        reset,
        timeout,
        unreachable,
        fromGone,
        Math.round(longestGap),
      ];
    }),
  );
  const ends = results.flatMap(({ mode, scheduler, waiting, talking, flapping, lost }) => {
    const kinds = {
      'that only wait': waiting,
      'that talk': talking,
      'while readiness flaps': flapping,
      'to a lost machine': lost,
    };
    return Object.entries(kinds).flatMap(([name, tally]) =>
      tally === undefined
        ? []
        : [
            [
              mode,
              scheduler,
              name,
              tally.told,
              tally.silent,
              tally.harmed,
              Math.round(tally.slowest),
            ],
          ],
    );
  });
  return `${printTable(head, requests)}\n\n${printTable(streamHead, ends)}`;
}

const wanted = (process.env['BENCH_ROLLOUT_MODES']?.split(',') ?? Object.keys(modes)) as Mode[];
const schedulers = process.env['BENCH_ROLLOUT_SCHEDULERS']?.split(',') ?? ['rr', 'lc', 'sh', 'mh'];
const results: Result[] = [];
for (const mode of wanted) {
  for (const scheduler of schedulers) {
    results.push(await run(mode, scheduler));
    console.log(print(results.slice(-1)));
  }
}
const share = process.env['KERNEL_SHARE'];
if (share !== undefined) {
  mkdirSync(share, { recursive: true });
  writeFileSync(join(share, 'rollout.md'), `${print(results)}\n`);
}
