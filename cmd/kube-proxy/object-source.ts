import { hostname } from 'node:os';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { version } from '../../pkg/config/version.ts';
import { HttpClient } from '../../pkg/kube/api/client.ts';
import { ApiSource } from '../../pkg/kube/api/source.ts';
import { loadConnection } from '../../pkg/kube/credentials/config.ts';
import { EventRecorder, type KubeEvent } from '../../pkg/kube/events.ts';
import { ManifestSource } from '../../pkg/kube/manifests/manifests.ts';
import type { Source } from '../../pkg/kube/types.ts';
import type { Logger } from '../../pkg/log/log.ts';
import type { Metrics } from '../../pkg/metrics/metrics.ts';
import type { Clock } from '../../pkg/runner/clock.ts';
import { reflectorMetrics } from './reflector-metrics.ts';
import { createKubeMetrics, kubeLog } from './reporter.ts';
import type { Part } from './run-all.ts';

/** Where objects come from, and where events about them go. */
export interface Objects {
  readonly source: Source;
  /** Notes an event; nothing happens where there is no API to write it to. */
  readonly record: (event: KubeEvent) => void;
  /** What else has to run. */
  readonly parts: readonly Part[];
  /** Closes what is kept open; nothing may run any more. */
  close(): void;
}

/** Opens the API or the manifests, as configured. Throws if the way to the API server is not known. */
export async function openObjects({
  config,
  log: logger,
  clock,
  metrics: allMetrics,
}: {
  config: ProxyConfig;
  log: Logger;
  clock: Clock;
  metrics: Metrics;
}): Promise<Objects> {
  const { source, nodeName } = config;
  const log = kubeLog(logger);
  if (source.type === 'manifests') {
    const manifests = new ManifestSource({ path: source.path, clock, log, nodeName });
    return { source: manifests, record() {}, parts: [], close() {} };
  }
  const metrics = createKubeMetrics(allMetrics);
  const { kubeconfig, master } = source;
  const connection = await loadConnection({ kubeconfig, master, clock });
  const userAgent = `kube-proxy/${version}`;
  const { contentTypes } = source;
  const client = new HttpClient({ connection, clock, metrics, userAgent, contentTypes });
  const common = { client, clock, metrics, log, nodeName };
  const recorder = new EventRecorder({ ...common, hostName: hostname() });
  const apiSource = new ApiSource(common);
  allMetrics.addScraped(reflectorMetrics(apiSource));
  return {
    source: apiSource,
    record: (event) => recorder.record(event),
    parts: [(signal) => recorder.run(signal)],
    close: () => client.close(),
  };
}
