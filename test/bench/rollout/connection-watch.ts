import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from '../../support/network/network.ts';

/** How often the kernel's table of connections is read. A connection to a pod that is gone stays half open for a minute. */
const interval = 200;

/**
 * Counts connections that a node opened to pods that were gone, until the signal: those that its IPVS table shows half open. A
 * client that uses its port again for the same pod counts once more.
 */
export async function countOpened(
  node: Host,
  { gone, signal }: { gone: ReadonlySet<string>; signal: AbortSignal },
): Promise<number> {
  let count = 0;
  let halfOpen: ReadonlySet<string> = new Set();
  while (!signal.aborted) {
    const now = new Set(halfOpenTo(gone, readConnections(node)));
    for (const connection of now) if (!halfOpen.has(connection)) count++;
    halfOpen = now;
    await sleep(interval);
  }
  return count;
}

function readConnections(node: Host): string {
  const leave = node.namespace.enter();
  try {
    return readFileSync('/proc/thread-self/net/ip_vs_conn', 'utf8');
  } finally {
    leave();
  }
}

/** `TCP CB007107 9C40 C0A8000A 7590 0A000001 1F90 SYN_RECV 57`: the client, where it connected to, the pod. */
function* halfOpenTo(gone: ReadonlySet<string>, table: string): Generator<string> {
  for (const line of table.split('\n')) {
    const [protocol, client, clientPort, to, toPort, pod = '', , state] = line.trim().split(/\s+/);
    if (protocol === 'TCP' && state === 'SYN_RECV' && gone.has(printIpv4(pod)))
      yield `${client}:${clientPort} ${to}:${toPort} ${pod}`;
  }
}

function printIpv4(hex: string): string {
  return [0, 2, 4, 6].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join('.');
}
