import { type KubeObject, recordsAt } from '@kube-proxy-ipvs/test-apiserver/objects';
import { parseAddress } from '../../pkg/ip/address.ts';
import type { Ipvs, VirtualServerId } from '../../pkg/ipvs/ipvs.ts';
import { openIpvs } from '../../pkg/ipvs/netlink.ts';
import { ip } from '../support/addresses.ts';
import { fetchText } from '../support/network/http.ts';
import type { Report } from './report.ts';
import { vip } from './requests.ts';
import { slicesOf } from './shop.ts';
import { nodeName, type Stage } from './stage.ts';
import { median, milliseconds, pause } from './wait.ts';

const samples = 15;

/** A change whose way is timed. */
interface Timed {
  /** The change as it is given to the API server, which sends it to the proxy's watch before this returns. */
  readonly change: () => void;
  /** Whether the kernel holds it. */
  readonly isDone: () => Promise<boolean>;
}

/** How long a change takes from the API server to the kernel. */
export async function showLatency(stage: Stage, report: Report): Promise<void> {
  report.section('From the API to the kernel');
  const ipvs = openIpvs({ netns: stage.node.namespace.path });
  try {
    const before = await syncs(stage);
    const { appeared, drained, look } = await measure(stage, ipvs);
    const after = await syncs(stage);
    report.table([
      ['', 'MEDIAN', 'BEST', 'WORST'],
      [`an endpoint is added, ${samples} times`, ...describe(appeared)],
      ['it is taken away: its weight is 0', ...describe(drained)],
    ]);
    const mean = ((after.seconds - before.seconds) / (after.count - before.count)) * 1000;
    for (const line of [
      'From the moment the API server, which is in this process, takes the change and writes it to the',
      `proxy's watch, until a look into the kernel sees it; a look takes ${milliseconds(look)}. By the proxy's own`,
      `metric a sync takes ${milliseconds(mean)} on average.`,
    ])
      report.line(`  ${report.style('dim', line)}`);
    const middle = median([...appeared, ...drained]);
    report.check(
      middle < 1_000,
      `a changed endpoint is in the kernel ${milliseconds(middle)} after the API server has it (median)`,
    );
  } finally {
    ipvs.close();
  }
}

/** How many syncs the proxy counts, and the seconds they took. */
async function syncs({ node }: Stage): Promise<{ count: number; seconds: number }> {
  const text = await fetchText(node, { address: ip('127.0.0.1'), port: 10249, path: '/metrics' });
  const value = (suffix: string) =>
    sumOf(text, `kubeproxy_sync_proxy_rules_duration_seconds_${suffix}`);
  return { count: value('count'), seconds: value('sum') };
}

/** The sum of a metric over all its labels, in the text that metrics are served as. */
export function sumOf(text: string, metric: string): number {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${metric} `) || line.startsWith(`${metric}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

async function measure(stage: Stage, ipvs: Ipvs) {
  const [slice] = slicesOf('shop/catalog', stage.server.objects('EndpointSlice')) as KubeObject[];
  if (slice === undefined) throw new Error('catalog has no slice');
  const server: VirtualServerId = {
    address: vip(stage, 'shop/catalog'),
    protocol: 'TCP',
    port: 80,
  };
  const [appeared, drained]: [number[], number[]] = [[], []];
  const looks: number[] = [];
  const weightOf = async (address: string) => {
    const started = performance.now();
    const servers = await ipvs.realServers(server);
    looks.push(performance.now() - started);
    return servers.find((candidate) => candidate.address === parseAddress(address))?.weight ?? 0;
  };
  for (let sample = 0; sample < samples; sample++) {
    const address = `10.0.1.${100 + sample}`;
    const added = { addresses: [address], conditions: { ready: true }, nodeName };
    const longer = { ...slice, endpoints: [...recordsAt(slice, 'endpoints'), added] };
    const timed = [
      {
        times: appeared,
        change: () => put(stage, longer),
        isDone: async () => (await weightOf(address)) > 0,
      },
      {
        times: drained,
        change: () => put(stage, slice),
        isDone: async () => (await weightOf(address)) === 0,
      },
    ];
    for (const { times, ...change } of timed) {
      times.push(await time(change));
      await pause(60);
    }
  }
  return { appeared, drained, look: median(looks) };
}

function put({ server }: Stage, slice: KubeObject): void {
  const { resourceVersion: _, ...metadata } = slice.metadata;
  server.update({ ...slice, metadata });
}

async function time({ change, isDone }: Timed): Promise<number> {
  const started = performance.now();
  change();
  while (!(await isDone())) {
    if (performance.now() - started > 20_000) throw new Error('a change did not reach the kernel');
    await new Promise(setImmediate); // the event has to leave this process
  }
  return performance.now() - started;
}

/** Median, least and most. */
function describe(times: readonly number[]): string[] {
  return [median(times), Math.min(...times), Math.max(...times)].map(milliseconds);
}
