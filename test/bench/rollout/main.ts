import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
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
    'hack/kube-proxy',
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
    return { mode, scheduler, ...(await underLoad(deployment, { network, client, pod })) };
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
): Promise<Omit<Result, 'mode' | 'scheduler'>> {
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

function print(results: readonly Result[]): string {
  const rows = results.flatMap(({ mode, scheduler, tallies, waiting, talking, flapping }) => [
    ...tallies.map((tally) => {
      const { refused, reset, timeout, unreachable } = tally.failures;
      return [
        mode,
        scheduler,
        tally.name,
        tally.ok,
        tally.failed,
        refused,
        reset,
        timeout,
        unreachable,
        tally.fromGone,
        Math.round(tally.longestGap),
      ];
    }),
    ...(
      [
        ['streams that wait', waiting],
        ['streams that talk', talking],
      ] as const
    ).map(([name, { told, silent, harmed, slowest }]) => [
      mode,
      scheduler,
      `${name}: told ${told}, silent ${silent}, harmed ${harmed}`,
      '',
      '',
      '',
      '',
      '',
      '',
      '',
      Math.round(slowest),
    ]),
    [mode, scheduler, `flapping: harmed ${flapping.harmed}`, '', '', '', '', '', '', '', ''],
  ]);
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
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
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
