import { silentLogger } from '../../pkg/log/memory.ts';
import { KernelSettings, type KernelSettingsOptions } from '../../pkg/proxy/kernel-settings.ts';
import { ProcSysctl } from '../../pkg/sysctl/proc.ts';

/** Settings that nobody changes. */
export const keptSettings: Pick<KernelSettings, 'restore'> = { restore: () => undefined };

/** The settings of the namespace that this thread is in, as the program keeps them unless said otherwise. */
export function kernelSettings(over: Partial<KernelSettingsOptions> = {}): KernelSettings {
  return new KernelSettings({
    sysctl: new ProcSysctl(),
    log: silentLogger,
    strictArp: false,
    isRestoring: true,
    onRestored: () => undefined,
    onLooked: () => undefined,
    ...over,
  });
}
