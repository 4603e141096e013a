import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpClient } from '../../../pkg/kube/api/client.ts';
import { ApiSource } from '../../../pkg/kube/api/source.ts';
import { loadConnection } from '../../../pkg/kube/credentials/config.ts';
import { noMetrics } from '../../../pkg/kube/metrics.ts';
import type { Change, Kind } from '../../../pkg/kube/types.ts';
import { seconds } from '../../../pkg/runner/clock.ts';
import { type HurriedClock, hurriedClock } from './hurried-clock.ts';

/** The shortest deadline for an answer; what is shorter is a pause between requests. */
const shortestDeadline = seconds(5);
/**
 * Less than any silence of a connection that stands (60 s), and more than the time to connect (15 s). A deadline is set by what is left
 * of it, which is a moment less than the whole.
 */
const shortestSilence = seconds(20);

/** How a {@link Follower} goes about it. */
export interface FollowerOptions {
  /** How many times as fast as the machine's time runs. */
  readonly hurry?: number;
  /** Whether silent connections are given up as much sooner: where a test waits for that. No other deadline is hurried. */
  readonly hurriesSilence?: boolean;
  readonly random?: () => number;
}

/** The reported objects, by kind, namespace and name. */
export type State = Readonly<Record<string, unknown>>;

/**
 * Follows an API server as the program does, from the kubeconfig on, in hurried time, and keeps what is reported.
 * A test asks for states and waits until they come.
 */
export class Follower implements AsyncDisposable {
  readonly changes: Change[] = [];
  readonly log: string[] = [];
  readonly client: HttpClient;
  readonly #clocks: readonly HurriedClock[];
  readonly #state = new Map<string, unknown>();
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  readonly #running: Promise<void>;

  private constructor(
    client: HttpClient,
    {
      clock,
      clientClock,
      random,
    }: { clock: HurriedClock; clientClock: HurriedClock; random: () => number },
  ) {
    this.client = client;
    this.#clocks = [clock, clientClock];
    const say = (message: string, details: object = {}) => {
      this.log.push(`${message} ${JSON.stringify(details)}`);
      this.#wake();
    };
    const log = { info: say, error: say };
    const source = new ApiSource({
      client,
      clock,
      metrics: noMetrics,
      log,
      nodeName: 'n1',
      random,
    });
    this.#running = source.run((change) => this.#receive(change), this.#stop.signal);
  }

  /** Starts to follow the server of a kubeconfig. */
  static async start(
    kubeconfig: string,
    { hurry = 20, hurriesSilence = false, random = Math.random }: FollowerOptions = {},
  ): Promise<Follower> {
    const folder = mkdtempSync(join(tmpdir(), 'follower-'));
    try {
      const file = join(folder, 'kubeconfig');
      writeFileSync(file, kubeconfig);
      const connection = await loadConnection({ kubeconfig: file, master: '' });
      const clock = hurriedClock(hurry);
      const clientClock = hurriedClock(hurry, {
        from: shortestDeadline,
        below: hurriesSilence ? shortestSilence : Number.POSITIVE_INFINITY,
      });
      const client = new HttpClient({
        connection,
        clock: clientClock,
        metrics: noMetrics,
        userAgent: 'kube-proxy/test',
      });
      return new Follower(client, { clock, clientClock, random });
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /** What is known now. */
  get state(): State {
    return Object.fromEntries([...this.#state].sort(([one], [other]) => (one < other ? -1 : 1)));
  }

  /** The kinds that were reported as synced. */
  get synced(): ReadonlySet<Kind> {
    return new Set(
      this.changes.flatMap((change) => (change.type === 'synced' ? [change.kind] : [])),
    );
  }

  /** Resolves as soon as what is known fulfils a condition. */
  async until(condition: (follower: Follower) => boolean): Promise<void> {
    while (!condition(this)) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Resolves when the initial lists are complete. */
  async untilSynced(): Promise<void> {
    await this.until(({ synced }) => synced.size === 3);
  }

  /** Until an object is, or is not, known. */
  async untilKnown(key: string, isKnown = true): Promise<void> {
    await this.until(() => this.#state.has(key) === isKnown);
  }

  /**
   * Until it knows what a server holds and nothing else. That is read again after each change: a server makes objects by itself,
   * at any time.
   */
  async untilCurrent(read: () => Promise<State>): Promise<void> {
    for (;;) {
      const count = this.changes.length;
      const expected = JSON.stringify(await read());
      const isCurrent = () => this.synced.size === 3 && JSON.stringify(this.state) === expected;
      await this.until(() => isCurrent() || this.changes.length > count);
      if (isCurrent()) return;
    }
  }

  /** How many timers wait. */
  get timers(): number {
    return this.#clocks.reduce((sum, clock) => sum + clock.pending(), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.client.close();
  }

  #receive(change: Change): void {
    this.changes.push(change);
    if (change.type === 'set') {
      const namespace = change.kind === 'Node' ? '' : change.object.namespace;
      this.#state.set(`${change.kind} ${namespace}/${change.object.name}`, change.object);
    } else if (change.type === 'delete') {
      this.#state.delete(`${change.kind} ${change.name.namespace}/${change.name.name}`);
    }
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
