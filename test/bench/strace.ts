/** What happened between two marks of `measure.ts`. */
export interface Window {
  readonly kind: string;
  /** System calls of the thread that made the marks, up to the last one that has to do with netlink. */
  readonly names: readonly string[];
  /** Programs started, by whatever thread. */
  readonly processes: number;
}

const netlinkCalls = new Set(['sendto', 'recvfrom', 'sendmsg', 'recvmsg']);
const beginning = /^(\d+) +(\w+)\((.*)$/;
const markName = /"\/bench-mark\/(.*)\/(begin|end)"/;

/** Reads what `strace -f -o` wrote. Calls that were interrupted are counted where they began. */
export function countCalls(text: string): readonly Window[] {
  const windows: Window[] = [];
  let open: { kind: string; thread: string; names: string[]; processes: number } | undefined;
  for (const line of text.split('\n')) {
    const [, thread = '', name = '', rest = ''] = beginning.exec(line) ?? [];
    const [, kind = '', side = ''] = markName.exec(rest) ?? [];
    if (side === 'begin') open = { kind, thread, names: [], processes: 0 };
    else if (side === 'end' && open !== undefined) {
      const last = open.names.findLastIndex((call) => netlinkCalls.has(call));
      windows.push({ ...open, names: open.names.slice(0, last + 1) });
      open = undefined;
    } else if (open !== undefined && name !== '') {
      if (name.startsWith('exec')) open.processes++;
      if (thread === open.thread) open.names.push(name);
    }
  }
  return windows;
}
