import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { patience } from '../patience.ts';
import type { Host } from './network.ts';

/** What tcpdump sees of a host's incoming TCP, from when it listens. */
export interface Capture {
  /** Every segment so far: `172.30.0.1:80 > 10.0.1.1:1024 S correct`, the last word about its checksum. */
  readonly segments: readonly string[];
  /** Waits for so many segments; gives all there are. */
  seen(count: number): Promise<readonly string[]>;
  close(): Promise<void>;
}

const line = /(\S+)\.(\d+) > (\S+)\.(\d+): Flags \[(\S+)\], cksum 0x\w+ \((\w+)/;

/** Starts tcpdump on a host's `eth0` and waits until it listens. */
export async function capture({ namespace }: Host): Promise<Capture> {
  const options = ['-i', 'eth0', '-Q', 'in', '-n', '-v', '-l', '--immediate-mode', 'tcp or ip6'];
  const child = spawn('ip', ['netns', 'exec', namespace.name, 'tcpdump', ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const segments: string[] = [];
  createInterface({ input: child.stdout }).on('line', (text) => {
    const [, source, sourcePort, destination, destinationPort, flags, checksum] =
      line.exec(text) ?? [];
    if (flags !== undefined)
      segments.push(
        `${source}:${sourcePort} > ${destination}:${destinationPort} ${flags} ${checksum}`,
      );
  });
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (text) => {
      if (text.includes('listening on')) resolve();
    });
    child.once('close', () => reject(new Error('tcpdump ended')));
  });
  return {
    segments,
    async seen(count) {
      const deadline = performance.now() + patience;
      while (segments.length < count && performance.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, 20));
      return segments;
    },
    async close() {
      child.kill();
      await ended;
    },
  };
}
