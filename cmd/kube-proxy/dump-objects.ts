import type { ProxyConfig } from '../../pkg/config/types.ts';
import type { DumpedObjects } from '../../pkg/dump/object-forms.ts';
import { ObjectNames } from '../../pkg/explain/object-names.ts';
import type { ProgramLog } from '../../pkg/log/log.ts';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
import type { ProgressBoard } from '../../pkg/runner/progress.ts';
import { logReadings } from './log-readings.ts';
import { type Objects, openObjects } from './object-source.ts';

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
    const objects = await names.objects();
    return { ...objects, serviceRanges: await serviceRanges(config, { opened, wait }) };
  } finally {
    opened.close();
  }
}

async function serviceRanges(
  { vipBinding, serviceClusterIPRange }: ProxyConfig,
  { opened, wait }: { readonly opened: Objects; readonly wait: number },
): Promise<readonly string[]> {
  const areWanted = vipBinding === 'route' && serviceClusterIPRange.length === 0;
  if (!areWanted || opened.serviceRanges === undefined) return [];
  let found: readonly string[] | undefined;
  const controller = new AbortController();
  const cancel = systemClock.after(wait, () => controller.abort());
  try {
    await opened.serviceRanges.run((ranges) => {
      found = ranges;
      controller.abort();
    }, controller.signal);
  } finally {
    cancel();
  }
  if (found === undefined)
    throw new Error(`ServiceCIDR objects were not read within ${wait / 1000} s`);
  return found;
}
