import { isVipRange } from '../../pkg/config/checks.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { type Prefix, parsePrefix } from '../../pkg/ip/prefix.ts';
import type { ServiceRanges } from '../../pkg/kube/service-ranges.ts';
import type { Logger } from '../../pkg/log/log.ts';
import { systemClock } from '../../pkg/runner/clock.ts';

/** Whether ServiceCIDR objects are to be read: VIPs are bound by routes, and no ranges are configured. */
export function wantsServiceRanges({ vipBinding, serviceClusterIPRange }: ProxyConfig): boolean {
  return vipBinding === 'route' && serviceClusterIPRange.length === 0;
}

/**
 * Reads the networks of ServiceCIDR objects once, as texts; none where they are not wanted, not readable, or there is no API. Throws if
 * they are not read within `wait` milliseconds.
 */
export async function readServiceRanges(
  config: ProxyConfig,
  {
    serviceRanges,
    wait,
  }: { readonly serviceRanges: Pick<ServiceRanges, 'run'> | undefined; readonly wait: number },
): Promise<readonly string[]> {
  if (serviceRanges === undefined || !wantsServiceRanges(config)) return [];
  let found: readonly string[] | undefined;
  const controller = new AbortController();
  const cancel = systemClock.after(wait, () => controller.abort());
  try {
    await serviceRanges.run((ranges) => {
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

/** The networks of ServiceCIDR objects that can be ranges of VIPs. Logs the others. */
export function usableRanges(texts: readonly string[], log: Logger): readonly Prefix[] {
  const ignored = texts.filter((text) => !isVipRange(text));
  log.info('ranges of VIPs from ServiceCIDR objects', { ranges: texts, ignored });
  return texts.filter(isVipRange).flatMap((text) => parsePrefix(text) ?? []);
}
