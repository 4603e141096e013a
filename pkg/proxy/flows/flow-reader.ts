import type { Conntrack, Flow, FlowKind } from '../../conntrack/conntrack.ts';
import { type Family, families } from '../../ip/address.ts';
import type { Protocol } from '../../ip/protocol.ts';
import { type Clock, seconds } from '../../runner/clock.ts';
import { Runner } from '../../runner/runner.ts';

export interface FlowReaderOptions {
  readonly conntrack: Pick<Conntrack, 'dump' | 'isFiltering'>;
  readonly clock: Clock;
  readonly log: { error(message: string, error: unknown): void };
}

export interface ReadOptions {
  /** How long the dump waits for other callers, in milliseconds, so that it serves them too. */
  readonly gathering?: number;
}

/** Called when a dump begins. Returns the callback for each of its flows. */
export type BeginReading = () => (flow: Flow) => void;

/** The shortest time between the beginnings of two dumps of a family that the kernel filters by UDP. */
const udpInterval = seconds(0.25);
/** The shortest time between the beginnings of two other dumps of a family. */
const interval = seconds(1);

/**
 * Reads conntrack for everybody. One dump of a family serves all callers that wait. At most four dumps of UDP flows begin in a
 * second if the kernel filters them, and at most one of any others.
 */
export class FlowReader {
  readonly #families: Readonly<Record<Family, FamilyReader>>;

  constructor(options: FlowReaderOptions) {
    this.#families = {
      IPv4: new FamilyReader('IPv4', options),
      IPv6: new FamilyReader('IPv6', options),
    };
  }

  /**
   * Reads the flows of a family and a protocol. Begins a new dump and resolves at its end. A flow may come twice or not at all
   * while the table changes. Throws what the dump throws, and if {@link run} ends first.
   */
  async read(
    { family, protocol }: FlowKind,
    begin: BeginReading,
    options?: ReadOptions,
  ): Promise<void> {
    await this.#families[family].read(protocol, begin, options);
  }

  /** Whether a dump of the flows of a family and a protocol may begin at this moment. */
  isDue({ family, protocol }: FlowKind): boolean {
    return this.#families[family].isDue(protocol);
  }

  /** Does the same as {@link read} without waiting. Call it only if {@link isDue}. */
  async readNow({ family, protocol }: FlowKind, begin: BeginReading): Promise<void> {
    await this.#families[family].readNow(protocol, begin);
  }

  /** Makes the requested dumps until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(families.map((family) => this.#families[family].run(signal)));
  }
}

/** A caller that waits for a dump. */
interface Waiting {
  readonly protocol: Protocol;
  readonly begin: BeginReading;
  readonly end: () => void;
  readonly fail: (error: unknown) => void;
}

/** The dumps of one family. */
class FamilyReader {
  readonly #family: Family;
  readonly #options: FlowReaderOptions;
  readonly #runner: Runner;
  #waiting: Waiting[] = [];
  /** When the last dump began, and the last one that was not of UDP alone. */
  #last = { any: Number.NEGATIVE_INFINITY, wide: Number.NEGATIVE_INFINITY };

  constructor(family: Family, options: FlowReaderOptions) {
    const { clock, log } = options;
    this.#family = family;
    this.#options = options;
    this.#runner = new Runner({ clock, log, minInterval: 0, run: () => this.#readDue() });
  }

  async read(
    protocol: Protocol,
    begin: BeginReading,
    { gathering = 0 }: ReadOptions = {},
  ): Promise<void> {
    const served = this.#enter(protocol, begin);
    this.#runner.retryAfter(Math.max(gathering, this.#due(protocol) - this.#options.clock.now()));
    await served;
  }

  isDue(protocol: Protocol): boolean {
    return this.#due(protocol) <= this.#options.clock.now();
  }

  async readNow(protocol: Protocol, begin: BeginReading): Promise<void> {
    await Promise.all([this.#enter(protocol, begin), this.#readDue()]);
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#runner.run(signal);
    const error = new Error('conntrack is no longer read');
    for (const { fail } of this.#take(() => true)) fail(error);
  }

  /** Adds a caller to those that wait. Resolves after the dump that served it, and throws what that throws. */
  #enter(protocol: Protocol, begin: BeginReading): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ protocol, begin, end: resolve, fail: reject });
    return promise;
  }

  /** When a dump with the flows of a protocol may begin. */
  #due(protocol: Protocol): number {
    const { any, wide } = this.#last;
    return this.#isNarrow(protocol)
      ? any + udpInterval
      : Math.max(any + udpInterval, wide + interval);
  }

  /** Whether the kernel filters a dump by this protocol. */
  #isNarrow(protocol: Protocol): boolean {
    return protocol === 'UDP' && this.#options.conntrack.isFiltering;
  }

  /** Makes one dump for all callers that are due, or for all callers if it is not limited to UDP. */
  async #readDue(): Promise<void> {
    const now = this.#options.clock.now();
    const isDue = ({ protocol }: Waiting) => this.#due(protocol) <= now;
    const isWide = this.#waiting.some((some) => isDue(some) && !this.#isNarrow(some.protocol));
    const served = this.#take((some) => isWide || isDue(some));
    if (served.length > 0) {
      this.#last = { any: now, wide: isWide ? now : this.#last.wide };
      await this.#dump(served);
    }
    for (const { protocol } of this.#waiting)
      this.#runner.retryAfter(Math.max(0, this.#due(protocol) - this.#options.clock.now()));
  }

  async #dump(served: readonly Waiting[]): Promise<void> {
    const [protocol, ...others] = new Set(served.map((some) => some.protocol));
    const filter = { family: this.#family, ...(others.length === 0 && protocol && { protocol }) };
    try {
      const takers = served.map((some) => ({ protocol: some.protocol, take: some.begin() }));
      await this.#options.conntrack.dump(filter, (flow) => {
        for (const taker of takers) if (taker.protocol === flow.protocol) taker.take(flow);
      });
      for (const { end } of served) end();
    } catch (error) {
      for (const { fail } of served) fail(error);
    }
  }

  /** Removes and returns the waiting callers for which a condition holds. */
  #take(condition: (some: Waiting) => boolean): readonly Waiting[] {
    const { taken = [], left = [] } = Object.groupBy(this.#waiting, (some) =>
      condition(some) ? 'taken' : 'left',
    );
    this.#waiting = left;
    return taken;
  }
}
