import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReporter, kubeLog } from '../../../cmd/kube-proxy/reporter.ts';
import { ProxyHealth } from '../../../pkg/health/proxy-health.ts';
import { HttpClient } from '../../../pkg/kube/client.ts';
import { loadConnection } from '../../../pkg/kube/config.ts';
import { ManifestSource } from '../../../pkg/kube/manifests.ts';
import { type KubeLog, noMetrics } from '../../../pkg/kube/metrics.ts';
import { ApiSource } from '../../../pkg/kube/source.ts';
import type { Source } from '../../../pkg/kube/types.ts';
import { createMetrics } from '../../../pkg/metrics/metrics.ts';
import { FakeKernel, Stand } from '../proxier.ts';
import { type HurriedClock, hurriedClock } from './hurried-clock.ts';

/** How a follower's time goes, and its chance. */
export interface FollowerOptions {
  /** How many times as fast as the machine's its clock runs. */
  readonly hurry?: number;
  readonly random?: () => number;
}

type SourceMaker = (parts: { readonly clock: HurriedClock; readonly log: KubeLog }) => Source;

/** The way from objects to a kernel in memory as the program has it, source and metrics included, in hurried time. */
export class KernelFollower implements AsyncDisposable {
  readonly kernel = new FakeKernel();
  readonly #metrics = createMetrics();
  readonly #stand: Stand;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #close: () => void;

  private constructor(
    make: SourceMaker,
    { hurry = 20, close }: FollowerOptions & { close: () => void },
  ) {
    const hurried = hurriedClock(hurry);
    // Time goes on by itself here: moving it on is waiting.
    const advance = (milliseconds: number) => pause(milliseconds / hurry);
    const clock = { ...hurried, advance };
    const health = new ProxyHealth({ clock, syncPeriod: 30_000 });
    const reporter = createReporter({ metrics: this.#metrics, health, clock });
    this.#stand = new Stand({ kernel: this.kernel, clock, reporter });
    this.#close = close;
    const source = make({ clock: hurried, log: kubeLog(this.#stand.log) });
    this.#running = source.run((change) => this.#stand.tell(change), this.#stop.signal);
  }

  /** Follows the API server of a kubeconfig. */
  static async ofApi(kubeconfig: string, options: FollowerOptions = {}): Promise<KernelFollower> {
    const folder = mkdtempSync(join(tmpdir(), 'follower-'));
    const file = join(folder, 'kubeconfig');
    writeFileSync(file, kubeconfig);
    const connection = await loadConnection({ kubeconfig: file, master: '' });
    rmSync(folder, { recursive: true });
    const { hurry = 20, random = Math.random } = options;
    const common = { metrics: noMetrics, clock: hurriedClock(hurry) };
    const client = new HttpClient({ ...common, connection, userAgent: 'kube-proxy/test' });
    const make: SourceMaker = ({ clock, log }) =>
      new ApiSource({ client, clock, log, random, metrics: noMetrics, nodeName: 'here' });
    return new KernelFollower(make, { hurry, close: () => client.close() });
  }

  /** Follows a file or a folder. */
  static ofManifests(path: string): KernelFollower {
    const make: SourceMaker = ({ clock, log }) =>
      new ManifestSource({ path, clock, log, nodeName: 'here' });
    return new KernelFollower(make, { close: () => undefined });
  }

  /** What was said so far. */
  get log(): readonly string[] {
    return this.#stand.log.lines();
  }

  /** Everything in the kernel. */
  dump(): string {
    return this.kernel.dump();
  }

  /** Ends as soon as a condition holds. */
  async until(condition: (follower: KernelFollower) => boolean): Promise<void> {
    while (!condition(this)) await pause(2);
  }

  /** What a scraper would see of the metrics whose names begin so. */
  async scrape(name: string): Promise<readonly string[]> {
    const text = await this.#metrics.exposition.text();
    return text.split('\n').filter((line) => line.startsWith(name));
  }

  /** Lets some of its milliseconds pass. */
  async pass(milliseconds: number): Promise<void> {
    await this.#stand.clock.advance(milliseconds);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#stand.stop();
    this.#close();
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
