import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watchEligibility } from '../../../cmd/kube-proxy/eligibility.ts';
import { createKubeMetrics, kubeLog } from '../../../cmd/kube-proxy/kube-metrics.ts';
import { createReporter } from '../../../cmd/kube-proxy/reporter.ts';
import { ProxyHealth } from '../../../pkg/health/proxy-health.ts';
import { HttpClient } from '../../../pkg/kube/api/client.ts';
import { ApiSource } from '../../../pkg/kube/api/source.ts';
import { loadConnection } from '../../../pkg/kube/credentials/config.ts';
import { ManifestSource } from '../../../pkg/kube/manifests/manifests.ts';
import { type KubeLog, type KubeMetrics, noMetrics } from '../../../pkg/kube/metrics.ts';
import type { Change, Kind, Source } from '../../../pkg/kube/types.ts';
import { createMetrics } from '../../../pkg/metrics/metrics.ts';
import { FakeKernel, Stand } from '../proxier.ts';
import { type HurriedClock, hurriedClock } from './hurried-clock.ts';

/** How a follower's time goes, and its chance. */
export interface FollowerOptions {
  /** How many times as fast as the machine's its clock runs. */
  readonly hurry?: number;
  readonly random?: () => number;
  /** As an earlier follower left it; an empty one if it is not given. */
  readonly kernel?: FakeKernel;
}

type SourceMaker = (parts: {
  readonly clock: HurriedClock;
  readonly log: KubeLog;
  readonly metrics: KubeMetrics;
}) => Source;

/** The way from objects to a kernel in memory as the program has it, source and metrics included, in hurried time. */
export class KernelFollower implements AsyncDisposable {
  readonly kernel: FakeKernel;
  readonly health: ProxyHealth;
  readonly #metrics = createMetrics();
  readonly #stand: Stand;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #close: () => void;

  private constructor(
    make: SourceMaker,
    { hurry = 20, kernel = new FakeKernel(), close }: FollowerOptions & { close: () => void },
  ) {
    this.kernel = kernel;
    const hurried = hurriedClock(hurry);
    // Time goes on by itself here: moving it on is waiting.
    const advance = (milliseconds: number) => pause(milliseconds / hurry);
    const clock = { ...hurried, advance };
    const health = new ProxyHealth({ clock, syncPeriod: 30_000 });
    this.health = health;
    const reporter = createReporter({ metrics: this.#metrics, health, clock });
    const confirm = (kind: Kind) => source.confirm?.(kind);
    this.#stand = new Stand({ kernel, clock, reporter, confirm });
    this.#close = close;
    const metrics = createKubeMetrics(this.#metrics, hurried);
    const source = make({ clock: hurried, log: kubeLog(this.#stand.log), metrics });
    const onNode = watchEligibility(health, { withoutNode: 'unknown' });
    const onChange = (change: Change) => {
      onNode(change);
      this.#stand.report(change);
    };
    this.#running = source.run(onChange, this.#stop.signal);
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
    const make: SourceMaker = (parts) =>
      new ApiSource({ ...parts, client, random, nodeName: 'here' });
    return new KernelFollower(make, { ...options, hurry, close: () => client.close() });
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
