import { silentLogger } from '../../pkg/log/memory.ts';
import {
  type KeptSettings,
  KernelSettings,
  type KernelSettingsOptions,
} from '../../pkg/proxy/settings/kernel-settings.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
import { ProcSysctl } from '../../pkg/sysctl/proc.ts';

/** Settings that nobody changes. */
export const keptSettings: KeptSettings = { restore: () => undefined, expiresConnections: true };

/** The settings of the namespace that this thread is in, as the program keeps them unless said otherwise. */
export function kernelSettings(over: Partial<KernelSettingsOptions> = {}): KernelSettings {
  return new KernelSettings({
    sysctl: new ProcSysctl(),
    clock: systemClock,
    log: silentLogger,
    strictArp: false,
    hasLocalRoutes: false,
    isRestoring: true,
    onRestored: () => undefined,
    onChecked: () => undefined,
    ...over,
  });
}

/** Settings as IPVS mode needs them. */
export const preparedSettings = {
  'net/ipv4/vs/conntrack': '1',
  'net/ipv4/vs/conn_reuse_mode': '1',
  'net/ipv4/vs/expire_nodest_conn': '1',
  'net/ipv4/vs/expire_quiescent_template': '1',
  'net/ipv4/ip_forward': '1',
};
