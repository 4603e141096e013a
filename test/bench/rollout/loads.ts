import { setTimeout as sleep } from 'node:timers/promises';
import type { IpAddress } from '../../../pkg/ip/address.ts';
import { type Answer, type Connection, open } from '../../support/network/client.ts';
import type { Host } from '../../support/network/network.ts';

/** What one client counted. */
export class Tally {
  readonly name: string;
  ok = 0;
  readonly failures: Record<'refused' | 'reset' | 'timeout' | 'unreachable', number> = {
    refused: 0,
    reset: 0,
    timeout: 0,
    unreachable: 0,
  };
  /** Answers of pods that no slice had any more. */
  fromGone = 0;
  /** The longest time between two successes, in milliseconds. */
  longestGap = 0;
  #last = performance.now();

  constructor(name: string) {
    this.name = name;
  }

  count(answer: Answer, gone: ReadonlySet<string>): void {
    if (answer.kind !== 'answer') {
      this.failures[answer.kind]++;
      return;
    }
    const now = performance.now();
    this.longestGap = Math.max(this.longestGap, now - this.#last);
    this.#last = now;
    this.ok++;
    if (gone.has(answer.server.trim())) this.fromGone++;
  }

  get failed(): number {
    return Object.values(this.failures).reduce((sum, count) => sum + count, 0);
  }
}

/** Where a load goes, and until when. */
export interface Target {
  readonly host: Host;
  readonly address: IpAddress;
  readonly port: number;
  readonly gone: ReadonlySet<string>;
  readonly signal: AbortSignal;
}

/** How many source ports the short connections share: each is used again within seconds. */
const narrowRange = { first: 40_000, count: 60 };

/** One request a connection, one after the other, from a narrow range of source ports. */
export async function shortConnections(
  tally: Tally,
  { host, address, port, gone, signal }: Target,
): Promise<void> {
  for (let turn = 0; !signal.aborted; turn++) {
    const sourcePort = narrowRange.first + (turn % narrowRange.count);
    const connection = await open(host, {
      protocol: 'TCP',
      address,
      port,
      sourcePort,
      patience: 2_000,
    });
    if ('kind' in connection) tally.count(connection, gone);
    else {
      tally.count(await connection.ask('GET\n'), gone);
      await connection.ended(500);
      connection.close();
    }
    await sleep(15);
  }
}

/** A connection that is kept, with a request every 100 ms; a new one after an answer with `connection: close`. */
export async function keepAlive(
  tally: Tally,
  { host, address, port, gone, signal }: Target,
): Promise<void> {
  let connection: Connection | undefined;
  while (!signal.aborted) {
    if (connection === undefined) {
      const opened = await open(host, { protocol: 'TCP', address, port, patience: 2_000 });
      if ('kind' in opened) tally.count(opened, gone);
      else connection = opened;
    }
    const answer = await connection?.ask('GET\n');
    if (answer !== undefined) tally.count(answer, gone);
    if (answer?.kind !== 'answer' || answer.peer.trim() === 'close') {
      connection?.close();
      connection = undefined;
    }
    await sleep(100);
  }
  connection?.close();
}

/** How connections ended that outlast their pod. */
export class StreamTally {
  /** Ended by a reset while waiting, or at the next packet. */
  reset = 0;
  /** No reset came: it found out by its own timeout, or did not before the load ended. */
  silent = 0;
  /** The longest time from the pod's end until a client got a reset, in milliseconds. */
  slowest = 0;
  /** Ended although its pod was there. */
  harmed = 0;
  /** How many are open to each pod. */
  readonly openTo = new Map<string, number>();
}

/** How streams behave. */
export interface StreamOptions {
  readonly isWaiting: boolean;
  readonly count: number;
  /** When a pod was cut off, by its name. */
  readonly endedAt: (pod: string) => number | undefined;
  /** Milliseconds until a client that got no answer gives up. */
  readonly patience?: number;
}

/** Streams that talk now and then, or only wait; who ends, and how it learns of it, is counted. */
export async function streams(
  tally: StreamTally,
  {
    host,
    address,
    port,
    signal,
    isWaiting,
    count,
    endedAt,
    patience = 5_000,
  }: Target & StreamOptions,
): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async () => {
      while (!signal.aborted) {
        const connection = await open(host, { protocol: 'TCP', address, port, patience });
        const first = 'kind' in connection ? connection : await connection.ask('hello\n');
        if ('kind' in connection || first.kind !== 'answer') {
          await sleep(200);
          continue;
        }
        const server = first.server.trim();
        tally.openTo.set(server, (tally.openTo.get(server) ?? 0) + 1);
        const end = await watchStream(connection, { isWaiting, signal });
        connection.close();
        // One that is still open when the load ends counts only if its pod ended and no reset came.
        if (end !== undefined || endedAt(server) !== undefined)
          settle(tally, { end: end ?? 'timeout', endedAt: endedAt(server) });
      }
    }),
  );
}

async function watchStream(
  connection: Connection,
  { isWaiting, signal }: { isWaiting: boolean; signal: AbortSignal },
): Promise<'reset' | 'closed' | 'timeout' | undefined> {
  while (!signal.aborted) {
    if (isWaiting) {
      const ended = await connection.ended(250);
      if (ended !== 'open') return ended;
    } else {
      const answer = await connection.ask('tick\n');
      if (answer.kind !== 'answer') return answer.kind === 'timeout' ? 'timeout' : 'reset';
      await sleep(250);
    }
  }
  return undefined;
}

function settle(
  tally: StreamTally,
  { end, endedAt }: { end: 'reset' | 'closed' | 'timeout'; endedAt: number | undefined },
): void {
  if (endedAt === undefined) {
    tally.harmed++;
    return;
  }
  if (end === 'timeout') {
    tally.silent++;
    return;
  }
  tally.reset++;
  tally.slowest = Math.max(tally.slowest, performance.now() - endedAt);
}

/** Queries from one socket, 200 a second; each must be answered within two seconds. */
export async function queries(
  tally: Tally,
  { host, address, port, gone, signal }: Target,
): Promise<void> {
  const connection = await open(host, { protocol: 'UDP', address, port, patience: 2_000 });
  if ('kind' in connection) {
    tally.count(connection, gone);
    return;
  }
  while (!signal.aborted) {
    tally.count(await connection.ask('query'), gone);
    await sleep(5);
  }
  connection.close();
}
