import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApiServer } from '@kube-proxy-ipvs/test-apiserver';
import { drainMetrics } from '../../../cmd/kube-proxy/drain-metrics.ts';
import { type Objects, openObjects } from '../../../cmd/kube-proxy/object-source.ts';
import { createReporter } from '../../../cmd/kube-proxy/reporter.ts';
import { runAll } from '../../../cmd/kube-proxy/run-all.ts';
import { setMetrics } from '../../../cmd/kube-proxy/set-metrics.ts';
import { effective } from '../../../pkg/config/effective.ts';
import { defaults } from '../../../pkg/config/fields.ts';
import { ProxyHealth } from '../../../pkg/health/proxy-health.ts';
import { parseServiceAnnotations, type ServiceOptions } from '../../../pkg/kube/annotations.ts';
import { startingEvent } from '../../../pkg/kube/events.ts';
import type { Service } from '../../../pkg/kube/types.ts';
import { silentLogger } from '../../../pkg/log/memory.ts';
import { createMetrics, type Metrics } from '../../../pkg/metrics/metrics.ts';
import { type Clock, minutes } from '../../../pkg/runner/clock.ts';
import { Stand } from '../proxier.ts';
import { hurriedClock } from './hurried-clock.ts';

/** How many times as fast as the machine's its clock runs. */
const hurry = 20;

/** The program's parts against an API server, over a kernel in memory: source, proxier, events and metrics. */
export class ProgramParts implements AsyncDisposable {
  readonly metrics: Metrics;
  readonly stand: Stand;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  private constructor(objects: Objects, { metrics, clock }: { metrics: Metrics; clock: Clock }) {
    // Time goes on by itself: moving it on is waiting.
    const advance = (milliseconds: number) => pause(milliseconds / hurry);
    const manual = { ...clock, advance, pending: () => 0 };
    const health = new ProxyHealth({ clock, syncPeriod: minutes(1) });
    const { record } = objects;
    const reporter = createReporter({ metrics, health, clock, record });
    this.metrics = metrics;
    this.stand = new Stand({ clock: manual, reporter, serviceOptionsOf });
    metrics.addScraped(setMetrics(this.stand.proxier.view));
    metrics.addScraped(drainMetrics(this.stand.proxier.graceful, () => clock.now()));
    record(startingEvent('here'));
    const follow = (signal: AbortSignal) =>
      objects.source.run((change) => this.stand.report(change), signal);
    const parts = [...objects.parts, follow];
    this.#ended = runAll(parts, this.#stop.signal).finally(() => objects.close());
  }

  /** Starts them on the node `here`. */
  static async start(server: ApiServer): Promise<ProgramParts> {
    const folder = mkdtempSync(join(tmpdir(), 'parts-'));
    try {
      const kubeconfig = join(folder, 'kubeconfig');
      writeFileSync(kubeconfig, server.kubeconfig());
      const clock = hurriedClock(hurry);
      const metrics = createMetrics();
      const config = effective({ ...defaults, 'clientConnection.kubeconfig': kubeconfig }, 'here');
      const objects = await openObjects({ config, log: silentLogger, clock, metrics });
      return new ProgramParts(objects, { metrics, clock });
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#ended, this.stand.stop()]);
  }
}

function serviceOptionsOf({ annotations }: Pick<Service, 'annotations'>): ServiceOptions {
  return parseServiceAnnotations(annotations, { scheduler: 'rr', hasScheduler: () => true });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
