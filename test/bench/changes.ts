import { setTimeout as sleep } from 'node:timers/promises';
import { minutes } from '../../pkg/runner/clock.ts';
import { Node, type NodeOptions } from './node.ts';
import { type Pod, podsOf, slice, sliceSize } from './objects.ts';

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

  constructor(
    size: { services: number; endpoints: number },
    options: Pick<NodeOptions, 'trace' | 'vipBinding'> = {},
  ) {
    this.#size = size;
    this.node = new Node({ syncPeriod: minutes(24 * 60), ...options });
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
    const part = kind === 'added' || kind === 'vanished' ? lastPart(before, pods) : 0;
    const some = pods.slice(part * sliceSize, (part + 1) * sliceSize);
    return JSON.stringify({ type: 'MODIFIED', object: slice(index, some, part) });
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

/** The slice of the last pod, before or after. */
function lastPart(before: readonly Pod[], after: readonly Pod[]): number {
  return Math.floor((Math.max(before.length, after.length) - 1) / sliceSize);
}
