import type { KubeMetrics } from '../metrics.ts';
import type { Kind } from '../types.ts';

/** How far a reflector has come with its kind. */
export interface ReflectorState {
  readonly kind: Kind;
  /** How many objects it has reported and not reported as deleted. */
  readonly objects: number;
  /** resourceVersion of the newest object or bookmark that it has seen; '' before the first. */
  readonly version: string;
  /** When the last list, event or bookmark came, in milliseconds since 1970; `undefined` before the first. */
  readonly lastHeard: number | undefined;
  /** Whether a watch stands, for two seconds at least. */
  readonly isWatching: boolean;
}

/** Reports whether the objects of a kind are current, each time that this changes. */
export class CurrentState {
  readonly #kind: Kind;
  readonly #metrics: Pick<KubeMetrics, 'unconfirmed'>;
  readonly #onCurrent: (isCurrent: boolean) => void;
  #unconfirmed = 0;
  #isCurrent = true;

  constructor(
    kind: Kind,
    options: {
      readonly metrics: Pick<KubeMetrics, 'unconfirmed'>;
      readonly onCurrent: (isCurrent: boolean) => void;
    },
  ) {
    this.#kind = kind;
    this.#metrics = options.metrics;
    this.#onCurrent = options.onCurrent;
  }

  /** Takes whether reading fails, and how many objects wait for a second read. */
  set({ isFailing, unconfirmed }: { isFailing: boolean; unconfirmed: number }): void {
    if (unconfirmed !== this.#unconfirmed) {
      this.#unconfirmed = unconfirmed;
      this.#metrics.unconfirmed(this.#kind, unconfirmed);
    }
    const isCurrent = !isFailing && unconfirmed === 0;
    if (isCurrent === this.#isCurrent) return;
    this.#isCurrent = isCurrent;
    this.#onCurrent(isCurrent);
  }
}
