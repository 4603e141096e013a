import { parseAddress } from '../../pkg/ip/address.ts';
import type { Ipvs, VirtualServerId } from '../../pkg/ipvs/ipvs.ts';
import { openIpvs } from '../../pkg/ipvs/netlink.ts';
import { type KubeObject, recordsAt } from '../support/apiserver/objects.ts';
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
    const { appeared, drained, look } = await measure(stage, ipvs);
    report.line(`  ${samples} endpoints added, one at a time:    ${describe(appeared)}`);
    report.line(`  the same taken away (weight 0):       ${describe(drained)}`);
    for (const line of [
      `From the moment the API server, which is in this process, takes the change and writes it to the proxy's`,
      `watch, until a look into the kernel sees it (a look by netlink each ${milliseconds(look)}).`,
    ])
      report.line(`  ${report.style('dim', line)}`);
    const middle = median([...appeared, ...drained]);
    report.check(
      middle < 250,
      `a changed endpoint is in the kernel ${milliseconds(middle)} after the API server has it (median)`,
    );
  } finally {
    ipvs.close();
  }
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
    if (performance.now() - started > 10_000) throw new Error('a change did not reach the kernel');
    await new Promise(setImmediate); // the event has to leave this process
  }
  return performance.now() - started;
}

function describe(times: readonly number[]): string {
  const [least, most] = [Math.min(...times), Math.max(...times)];
  return `median ${milliseconds(median(times))}, ${milliseconds(least)} to ${milliseconds(most)}`;
}
