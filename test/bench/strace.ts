/** What happened between two marks of `measure.ts`. */
export interface Window {
  readonly kind: string;
  /** System calls of the thread that made the marks, up to the last one that has to do with netlink, without the runtime's own. */
  readonly names: readonly string[];
  /** Those of the runtime: its event loop, its compiler's and collector's threads. How many there are is luck. */
  readonly runtime: readonly string[];
  /** Programs started, by whatever thread. */
  readonly processes: number;
}

/** What V8 and libuv do besides: waking and waiting for threads, memory, the event loop. Writes and reads of 8 bytes are eventfds. */
const ofRuntime =
  /^(futex|io_uring_\w+|epoll_\w+|madvise|mmap|munmap|mprotect|pkey_\w+|sched_yield|getpid|rt_sig\w+|clock_\w+)$/;
const eventfd = /^\d+, .*, (8|1024)(\)| <)/;
const netlinkCalls = new Set(['sendto', 'recvfrom', 'sendmsg', 'recvmsg', 'recvmmsg']);
const beginning = /^(\d+) +(\w+)\((.*)$/;
const markName = /"\/bench-mark\/(.*)\/(begin|end)"/;

/** Reads what `strace -f -o` wrote. Calls that were interrupted are counted where they began. */
export function countCalls(text: string): readonly Window[] {
  const windows: Window[] = [];
  let open: (Window & { names: string[]; thread: string; processes: number }) | undefined;
  for (const line of text.split('\n')) {
    const [, thread = '', name = '', rest = ''] = beginning.exec(line) ?? [];
    const [, kind = '', side = ''] = markName.exec(rest) ?? [];
    if (side === 'begin') open = { kind, thread, names: [], runtime: [], processes: 0 };
    else if (side === 'end' && open !== undefined) {
      const last = open.names.findLastIndex((call) => netlinkCalls.has(call));
      const { kind: begun, processes } = open;
      const seen = open.names.slice(0, last + 1);
      const names = seen.filter((call) => !ofRuntime.test(call));
      windows.push({
        kind: begun,
        names,
        runtime: seen.filter((call) => ofRuntime.test(call)),
        processes,
      });
      open = undefined;
    } else if (open !== undefined && name !== '') {
      if (name.startsWith('exec')) open.processes++;
      const isEventfd = (name === 'write' || name === 'read') && eventfd.test(rest);
      if (thread === open.thread) open.names.push(isEventfd ? 'epoll_eventfd' : name);
    }
  }
  return windows;
}
