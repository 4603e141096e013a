import type { ProxyConfig } from '../../pkg/config/types.ts';
import type { DesiredSettings } from '../../pkg/explain/ledger.ts';
import { families } from '../../pkg/ip/address.ts';
import { proxierSettings } from './proxier-settings.ts';
import { assumeScheduler, serviceOptionsReader } from './service-options.ts';

/** The settings by which `explain` works out what should be there. */
export function desiredSettings(config: ProxyConfig): DesiredSettings {
  const serviceOptionsOf = serviceOptionsReader(config, assumeScheduler);
  return { ...proxierSettings(config, families), serviceOptionsOf };
}
