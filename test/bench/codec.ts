/**
 * What it costs to make and to read the messages that a first sync and an audit have by the thousand, through the kernel
 * packages and a socket behind which is no kernel: `hack/run node test/bench/codec.ts [ROUNDS]`. Needs neither root nor IPVS.
 * Cold is the first thousand in a fresh process, warm the best thousand of many; of the rounds the best one counts, as others may
 * want the CPU as well.
 */
import { spawnSync } from 'node:child_process';
import { NetlinkIpSets } from '../../pkg/ipset/netlink.ts';
import { NetlinkIpvs } from '../../pkg/ipvs/netlink.ts';
import { NetlinkLinks } from '../../pkg/links/netlink.ts';
import { Connection } from '../../pkg/netlink/connection.ts';
import { GenericFamily } from '../../pkg/netlink/generic.ts';
import { addressDump, cannedSocket, destDump, entryDump } from './canned-socket.ts';
import {
  addressWrites,
  destinationWrites,
  entryWrites,
  serviceWrites,
  someVirtualServer,
} from './writes.ts';

/** How many messages, or objects in a message, are measured at a time. */
const some = 1_000;
const times = 300;

/** Nobody has to be asked for its number. */
class KnownFamily extends GenericFamily {
  override id(): number {
    return 30;
  }
}

function connect(dump: Uint8Array): Connection {
  const socket = cannedSocket(dump);
  return new Connection(() => socket, { timeout: 1_000 });
}

function ipvs(dump: Uint8Array = new Uint8Array(0)): NetlinkIpvs {
  const connection = connect(dump);
  return new NetlinkIpvs(connection, new KnownFamily(connection, 'IPVS'));
}

/** Each makes its messages ready and returns what is measured. */
const measurements: Readonly<Record<string, () => () => unknown>> = {
  'virtual server written': () => {
    const writer = ipvs();
    const writes = serviceWrites(some);
    return () => writer.write(writes);
  },
  'real server written': () => {
    const writer = ipvs();
    const writes = destinationWrites(some);
    return () => writer.write(writes);
  },
  'set entry written': () => {
    const writer = new NetlinkIpSets(connect(new Uint8Array(0)));
    const writes = entryWrites(some);
    return () => writer.write(writes);
  },
  'address written': () => {
    const writer = new NetlinkLinks(connect(new Uint8Array(0)));
    const writes = addressWrites(some);
    return () => writer.write(writes);
  },
  'real server read': () => {
    const reader = ipvs(destDump(some));
    return () => reader.realServers(someVirtualServer);
  },
  'set entry read': () => {
    const reader = new NetlinkIpSets(connect(entryDump(some)));
    return () => reader.entries('KUBE-CLUSTER-IP');
  },
  'address read': () => {
    const reader = new NetlinkLinks(connect(addressDump(some)));
    return () => reader.addresses();
  },
};

const [argument = '7'] = process.argv.slice(2);
const measurement = measurements[argument];
if (measurement !== undefined) console.log(JSON.stringify(await measure(measurement())));
else report(Number(argument));

/** Microseconds for each of a thousand. */
async function measure(work: () => unknown): Promise<{ cold: number; warm: number }> {
  const once = async () => {
    const start = performance.now();
    await work();
    return ((performance.now() - start) * 1000) / some;
  };
  const cold = await once();
  let warm = Number.POSITIVE_INFINITY;
  for (let time = 0; time < times; time++) warm = Math.min(warm, await once());
  return { cold, warm };
}

function report(rounds: number): void {
  console.log('| | the first 1,000, each | compiled, each |\n|---|---|---|');
  for (const name of Object.keys(measurements)) {
    const results = Array.from({ length: rounds }, () => {
      const { stdout } = spawnSync(process.execPath, [import.meta.filename, name], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      return JSON.parse(stdout) as { cold: number; warm: number };
    });
    const best = (pick: (result: { cold: number; warm: number }) => number) =>
      Math.min(...results.map(pick)).toFixed(3);
    console.log(`| ${name} | ${best(({ cold }) => cold)} µs | ${best(({ warm }) => warm)} µs |`);
  }
}
