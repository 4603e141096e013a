import { setTimeout as sleep } from 'node:timers/promises';
import type { Trace } from '../../pkg/netlink/trace.ts';
import { minutes } from '../../pkg/runner/clock.ts';
import { Node } from './node.ts';
import { type Pod, podsOf, slice } from './objects.ts';

type Kind = 'added' | 'not ready' | 'ready again' | 'vanished';

/** What happens to an endpoint, in an order in which each kind has something to do. */
export const kinds: readonly Kind[] = ['added', 'not ready', 'ready again', 'vanished'];

/** A cluster whose slices change, one at a time. */
export class Changes {
  readonly node: Node;
  readonly #size: { readonly services: number; readonly endpoints: number };
  readonly #pods = new Map<number, readonly Pod[]>();
  #next = 0;
  #fresh = 0x7f0000;

  constructor(size: { services: number; endpoints: number }, trace?: Trace) {
    this.#size = size;
    this.node = new Node({
      syncPeriod: minutes(24 * 60),
      ...(trace === undefined ? {} : { trace }),
    });
  }

  /** Ends some time after the first sync. */
  async start(): Promise<void> {
    this.node.reportAll(this.#size.services, this.#size.endpoints);
    await this.node.firstSync;
    await sleep(500);
  }

  /** Starts over at the first Service. */
  rewind(): void {
    this.#next = 0;
  }

  /** The line of the watch that changes the next Service. */
  line(kind: Kind): string {
    const index = this.#next++ % this.#size.services;
    const before = this.#pods.get(index) ?? podsOf(index, this.#size.endpoints);
    const pods = this.#changed(kind, before);
    this.#pods.set(index, pods);
    return JSON.stringify({ type: 'MODIFIED', object: slice(index, pods) });
  }

  #changed(kind: Kind, pods: readonly Pod[]): readonly Pod[] {
    switch (kind) {
      case 'added':
        return [...pods, { number: this.#fresh++, isReady: true }];
      case 'not ready':
        return pods.map((pod, at) => ({ ...pod, isReady: at > 0 }));
      case 'ready again':
        return pods.map((pod) => ({ ...pod, isReady: true }));
      case 'vanished':
        return pods.slice(0, -1);
    }
  }
}
