import { hostname } from 'node:os';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { version } from '../../pkg/config/version.ts';
import { HttpClient } from '../../pkg/kube/api/client.ts';
import { ApiSource } from '../../pkg/kube/api/source.ts';
import { loadConnection } from '../../pkg/kube/credentials/config.ts';
import { EventRecorder, type KubeEvent } from '../../pkg/kube/events.ts';
import { ManifestSource } from '../../pkg/kube/manifests/manifests.ts';
import { ServiceRanges } from '../../pkg/kube/service-ranges.ts';
import type { Source } from '../../pkg/kube/types.ts';
import type { Logger } from '../../pkg/log/log.ts';
import type { Metrics } from '../../pkg/metrics/metrics.ts';
import type { Clock } from '../../pkg/runner/clock.ts';
import type { ProgressBoard } from '../../pkg/runner/progress.ts';
import { createKubeMetrics, kubeLog } from './kube-metrics.ts';
import { reflectorMetrics } from './reflector-metrics.ts';
import type { Part } from './run-all.ts';

/** The source of objects, and the way of events about them. */
export interface Objects {
  readonly source: Source;
  /** Records an event. Does nothing without an API. */
  readonly record: (event: KubeEvent) => void;
  /** Work that has to run beside the source. */
  readonly parts: readonly Part[];
  /** Reads the networks of ClusterIPs from the cluster; `undefined` without an API. */
  readonly serviceRanges?: Pick<ServiceRanges, 'run'>;
  /** Closes connections. Call it when nothing runs any more. */
  close(): void;
}

export interface ObjectsOptions {
  readonly config: ProxyConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Where reading all objects shows how far it has come. */
  readonly progress?: ProgressBoard;
}

/** Opens the API or the manifests, as configured. Throws a ConfigError if the API server's address or the credentials are invalid. */
export async function openObjects({
  config,
  log: logger,
  clock,
  metrics: allMetrics,
  progress,
}: ObjectsOptions): Promise<Objects> {
  const { source, nodeName } = config;
  const log = kubeLog(logger);
  if (source.type === 'manifests') {
    const manifests = new ManifestSource({ path: source.path, clock, log, nodeName });
    return { source: manifests, record() {}, parts: [], close() {} };
  }
  const metrics = createKubeMetrics(allMetrics, clock);
  const { kubeconfig, master } = source;
  const connection = await loadConnection({ kubeconfig, master, clock, metrics });
  const userAgent = `kube-proxy/${version}`;
  const { contentTypes } = source;
  const client = new HttpClient({ connection, clock, metrics, userAgent, contentTypes });
  const common = { client, clock, metrics, log, nodeName };
  const recorder = new EventRecorder({ ...common, hostName: hostname() });
  const apiSource = new ApiSource({ ...common, progress });
  allMetrics.addScraped(reflectorMetrics(apiSource));
  return {
    source: apiSource,
    record: (event) => recorder.record(event),
    parts: [(signal) => recorder.run(signal)],
    serviceRanges: new ServiceRanges({ client, clock, log }),
    close: () => client.close(),
  };
}
