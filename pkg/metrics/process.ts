import { readdirSync, readFileSync } from 'node:fs';

/** The size of a page in /proc/self/statm. */
const pageSize = 4096;

/** A number about the process, read at each scrape. */
export interface Reading {
  readonly name: string;
  readonly help: string;
  readonly isCounter?: boolean;
  /** Returns `undefined`, or throws, if it cannot be read. */
  readonly read: () => number | undefined;
}

/** The metrics that all Prometheus clients have, and two of Node. */
export const processReadings: readonly Reading[] = [
  {
    name: 'process_cpu_seconds_total',
    help: 'Total user and system CPU time spent in seconds.',
    isCounter: true,
    read: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  },
  {
    name: 'process_start_time_seconds',
    help: 'Start time of the process since unix epoch in seconds.',
    read: () => performance.timeOrigin / 1000,
  },
  {
    name: 'process_resident_memory_bytes',
    help: 'Resident memory size in bytes.',
    read: () => process.memoryUsage.rss(),
  },
  {
    name: 'process_virtual_memory_bytes',
    help: 'Virtual memory size in bytes.',
    read: () => pageSize * Number(readFileSync('/proc/self/statm', 'utf8').split(' ', 1)[0]),
  },
  {
    name: 'process_virtual_memory_max_bytes',
    help: 'Maximum amount of virtual memory available in bytes.',
    read: () => limitOf('Max address space'),
  },
  {
    name: 'process_open_fds',
    help: 'Number of open file descriptors.',
    // Without the folder that is being read.
    read: () => readdirSync('/proc/self/fd').length - 1,
  },
  {
    name: 'process_max_fds',
    help: 'Maximum number of open file descriptors.',
    read: () => limitOf('Max open files'),
  },
  {
    name: 'nodejs_heap_size_used_bytes',
    help: 'Process heap size used from Node.js in bytes.',
    read: () => process.memoryUsage().heapUsed,
  },
  {
    name: 'nodejs_eventloop_active_seconds_total',
    help: 'How long the event loop was at work, in seconds.',
    isCounter: true,
    read: () => performance.eventLoopUtilization().active / 1000,
  },
];

/** The value for "unlimited": 2^64, as in Prometheus' clients. */
const unlimited = 2 ** 64;

/** A soft limit of this process. */
function limitOf(name: string): number | undefined {
  const text = readFileSync('/proc/self/limits', 'utf8');
  const limit = new RegExp(`^${name}\\s+(\\d+|unlimited)`, 'm').exec(text)?.[1];
  if (limit === undefined) return undefined;
  return limit === 'unlimited' ? unlimited : Number(limit);
}
