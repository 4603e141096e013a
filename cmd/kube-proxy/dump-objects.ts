import type { ProxyConfig } from '../../pkg/config/types.ts';
import type { DumpedObjects } from '../../pkg/dump/object-forms.ts';
import { ObjectNames } from '../../pkg/explain/object-names.ts';
import type { ProgramLog } from '../../pkg/log/log.ts';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
import type { ProgressBoard } from '../../pkg/runner/progress.ts';
import { logReadings } from './log-readings.ts';
import { openObjects } from './object-source.ts';
import { readServiceRanges } from './service-ranges.ts';

/**
 * Reads the objects that the configuration names once, with the networks of ServiceCIDR objects where VIPs are bound by them. Throws if
 * they are not read within `wait` milliseconds.
 */
export async function readDumpedObjects(
  config: ProxyConfig,
  {
    log,
    wait,
    progress,
  }: { readonly log: ProgramLog; readonly wait: number; readonly progress: ProgressBoard },
): Promise<DumpedObjects> {
  const clock = systemClock;
  const metrics = createMetrics(logReadings(log));
  const opened = await openObjects({ config, log, clock, metrics, progress });
  try {
    const { source } = opened;
    const description = config.source.type === 'api' ? 'the API' : config.source.path;
    const names = new ObjectNames({
      source,
      readPod: undefined,
      description,
      clock,
      patience: wait,
    });
    const { services, slices, node } = await names.objects();
    const { serviceRanges } = opened;
    const ranges = await readServiceRanges(config, { serviceRanges, wait });
    return { services, slices, node, serviceRanges: ranges };
  } finally {
    opened.close();
  }
}
