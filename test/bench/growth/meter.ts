import { readFileSync, writeFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import koffi from 'koffi';
import * as libc from '../../../pkg/netlink/libc.ts';
import { MessageCursor } from '../../../pkg/netlink/message.ts';
import { ReceiveBuffer } from '../../../pkg/netlink/receive-buffer.ts';
import { NetlinkSocket } from '../../../pkg/netlink/socket.ts';
import { allocated } from '../allocation.ts';
import { flameGraph } from '../flame-graph.ts';
import { startProfile } from '../profiler.ts';

/** What some work cost this process. Times are milliseconds, memory is bytes. */
export interface Cost {
  readonly wall: number;
  /** Of all threads, without other programs. */
  readonly cpu: number;
  /** Netlink messages that were sent, and system calls of netlink sockets: sends and receives. */
  readonly messages: number;
  readonly calls: number;
  /** How long these system calls took, with what calling them from here costs. */
  readonly inCalls: number;
  /** By how much the event loop was late. */
  readonly delay: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Sampled, some per cent are luck. */
  readonly allocated: number;
  /** The most that was resident so far. */
  readonly peak: number;
}

/** About one sample for each 64 KiB costs too little to be seen in the other figures. */
const samplingInterval = 1 << 16;

const counts = { messages: 0, calls: 0, inCalls: 0 };

/** Counts what netlink sockets of this process do from now on. */
export function countNetlink(): void {
  const { send } = NetlinkSocket.prototype;
  const { receive } = ReceiveBuffer.prototype;
  NetlinkSocket.prototype.send = function (this: NetlinkSocket, bytes, length) {
    const cursor = new MessageCursor(bytes);
    cursor.reset(length);
    while (cursor.next()) counts.messages++;
    return counted(() => send.call(this, bytes, length));
  };
  ReceiveBuffer.prototype.receive = function (this: ReceiveBuffer, fd) {
    return counted(() => receive.call(this, fd));
  };
}

function counted(call: () => number): number {
  const begun = performance.now();
  const result = call();
  counts.inCalls += performance.now() - begun;
  counts.calls++;
  return result;
}

/** Where a flame graph is drawn, and its title. */
export interface Drawing {
  readonly file: string;
  readonly title: string;
}

/** Measures work. With a drawing it is profiled, which makes it slower. */
export async function measured(work: () => Promise<unknown>, drawing?: Drawing): Promise<Cost> {
  const profile = drawing === undefined ? undefined : await startProfile(500);
  const cost = await costOf(work);
  if (drawing === undefined || profile === undefined) return cost;
  const { file, title } = drawing;
  writeFileSync(
    file,
    flameGraph(named(await profile.stop()), { title, without: startProfile.name }),
  );
  return cost;
}

/** V8 gives all functions that koffi makes and has, as their code is the same, the name of one of them. Netlink's are the ones that take time. */
const namesOfCalls: ReadonlySet<string> = new Set([...Object.keys(koffi), ...Object.keys(libc)]);

function named({ nodes, ...profile }: Profiler.Profile): Profiler.Profile {
  return {
    ...profile,
    nodes: nodes.map(({ callFrame, ...node }) => {
      const isCall = callFrame.url === '' && namesOfCalls.has(callFrame.functionName);
      const functionName = isCall ? 'system call' : callFrame.functionName;
      return { ...node, callFrame: { ...callFrame, functionName } };
    }),
  };
}

async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const before = { ...counts };
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let wall = 0;
  let cpu = 0;
  const bytes = await allocated(
    async () => {
      const begun = performance.now();
      const usage = process.cpuUsage();
      delay.enable();
      await work();
      wall = performance.now() - begun;
      const { user, system } = process.cpuUsage(usage);
      cpu = (user + system) / 1000;
      delay.disable();
    },
    { interval: samplingInterval },
  );
  const late = (nanoseconds: number) => nanoseconds / 1e6;
  return {
    wall,
    cpu,
    messages: counts.messages - before.messages,
    calls: counts.calls - before.calls,
    inCalls: counts.inCalls - before.inCalls,
    delay: {
      p50: late(delay.percentile(50)),
      p99: late(delay.percentile(99)),
      max: late(delay.max),
    },
    allocated: bytes,
    peak: residentPeak(),
  };
}

/** VmHWM of `/proc/self/status`. */
function residentPeak(): number {
  const [, kibibytes = '0'] =
    /^VmHWM:\s*(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}

/** What is resident once nothing happens any more, after a collection. */
export function residentAtRest(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().rss;
}
