import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import { ip } from '../../support/addresses.ts';
import { Network, nodeAddresses } from '../../support/network/network.ts';
import { countOpened } from './connection-watch.ts';
import { Deployment } from './deployment.ts';
import { keepAlive, queries, StreamTally, shortConnections, streams, Tally } from './loads.ts';
import { nodePort, ports } from './pod.ts';

// A rolling update under load, once for each scheduler and each way to end drains; see docs/graceful-termination.md.

/** What kernels before 5.9 had. */
const oldSettings = ['net.ipv4.vs.conn_reuse_mode=0', 'net.ipv4.vs.expire_nodest_conn=0'];

/** The ways to end drains, and the kernel settings that somebody makes once the program runs. */
export const modes = {
  pod: { flags: [], sysctls: [] },
  'pod: settings changed': { flags: [], sysctls: oldSettings },
  'pod: settings not restored': {
    flags: ['--ipvs-restore-sysctls=false'],
    sysctls: oldSettings,
  },
  'pod: expire_nodest_conn=0': {
    flags: ['--ipvs-restore-sysctls=false'],
    sysctls: ['net.ipv4.vs.expire_nodest_conn=0'],
  },
  connections: { flags: ['--ipvs-graceful-termination=connections'], sysctls: [] },
  'old kernel': {
    flags: ['--ipvs-graceful-termination=connections', '--ipvs-restore-sysctls=false'],
    sysctls: oldSettings,
  },
} as const;

/** One of them. */
export type Mode = keyof typeof modes;

/** What one run counted. */
export interface Result {
  readonly mode: Mode;
  readonly scheduler: string;
  readonly tallies: readonly Tally[];
  readonly waiting: StreamTally;
  readonly talking: StreamTally;
  readonly flapping: StreamTally;
  /** Streams to a machine that was lost in silence. */
  readonly lost: StreamTally;
  /** Connections that were opened to pods that were gone. */
  readonly opened: number;
}

/** Starts everything on a node of its own, and ends it. */
export async function run(mode: Mode, scheduler: string): Promise<Result> {
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
    status: { addresses: [{ type: 'InternalIP', address: '192.168.0.10' }] },
  });
  const proxy = spawn(
    process.execPath,
    [
      fileURLToPath(new URL('../../../dist/kube-proxy.js', import.meta.url)),
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
    const stop = new AbortController();
    const { signal } = stop;
    const opened = countOpened(network.node, { gone: deployment.goneAddresses, signal });
    const { tallies, ...rolled } = await underLoad(deployment, hosts);
    const loss = await afterLoss(deployment, hosts);
    stop.abort();
    const all = [...tallies, ...loss.tallies];
    return { mode, scheduler, ...rolled, tallies: all, lost: loss.lost, opened: await opened };
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
): Promise<Omit<Result, 'mode' | 'scheduler' | 'lost' | 'opened'>> {
  const stop = new AbortController();
  const { signal } = stop;
  const vip = ip('172.30.0.50');
  const to = (host: Host, name: keyof typeof ports) => {
    const isOutside = host === client;
    const port =
      name === 'dns' ? (isOutside ? 30_053 : 53) : isOutside ? nodePort(ports[name]) : ports[name];
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
  const waiting = new StreamTally();
  const talking = new StreamTally();
  const flapping = new StreamTally();
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

/** A machine is lost without a packet, and the slice is updated five seconds later. */
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
    gone,
    signal,
    endedAt,
    patience: 100_000,
    count: 4,
  };
  const inside = { ...to, address: vip, port: ports.stream };
  const outside = { ...to, address: nodeAddresses.IPv4, port: nodePort(ports.stream) };
  const held = [false, true].flatMap((isWaiting) => [
    ...[pod, network.node].map((host) => streams(lost, { ...inside, host, isWaiting })),
    streams(lost, { ...outside, host: client, isWaiting }),
  ]);
  await sleep(3_000);
  const [[name, lostAtOnce] = ['', 0]] = [...lost.openTo].sort((one, other) => other[1] - one[1]);
  await deployment.lose(name, 5_000);
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
      port: nodePort(ports.short),
      gone,
      signal,
    }),
  ];
  // The minute of unanswered packets begins with the first of them.
  for (let second = 0; second < 90 && lost.reset + lost.silent < lostAtOnce; second++)
    await sleep(1_000);
  stop.abort();
  await Promise.all([...loads, ...held]);
  return { tallies, lost };
}
