import { type Kernel, kernelOf, type Ports, type ProxierSettings } from './options.ts';
import { Proxier } from './proxier.ts';

/** Makes a proxier over a kernel; it does nothing until it is run. */
export function createProxier(kernel: Kernel, settings: ProxierSettings, ports: Ports): Proxier {
  return new Proxier({ ...kernelOf(kernel), ...settings, ...ports });
}
