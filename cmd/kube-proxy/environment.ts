import type { NodeSources } from '../../pkg/explain/node-sources.ts';
import { abstractNames } from '../../pkg/instance/abstract-names.ts';
import type { Names } from '../../pkg/instance/instance.ts';
import type { Ipvs } from '../../pkg/ipvs/ipvs.ts';
import type { Metrics } from '../../pkg/metrics/metrics.ts';
import { type Clock, systemClock } from '../../pkg/runner/clock.ts';
import type { Sysctl } from '../../pkg/sysctl/sysctl.ts';
import { type Objects, type ObjectsOptions, openObjects } from './object-source.ts';
import {
  isEstimating,
  type KernelOptions,
  type OpenKernel,
  openIpvsReader,
  openKernel,
  ownProcess,
} from './open-kernel.ts';

/** Everything outside of the program that it is built on. Tests have one in memory. */
export interface Environment {
  readonly clock: Clock;
  /** The names by which kube-proxies of this node find each other. */
  readonly names: Names;
  readonly openObjects: (options: ObjectsOptions) => Promise<Objects>;
  readonly openKernel: (options: KernelOptions) => Promise<OpenKernel>;
  /** Opens another connection to IPVS for reading, as a write during a dump throws. The caller closes it. */
  readonly openIpvsReader: (
    metrics: Metrics,
  ) => Pick<Ipvs, 'virtualServers' | 'realServers'> & { close(): void };
  /** Opens the kernel for reading alone, on connections of its own. The caller closes it. */
  readonly openNodeReader: () => Promise<{
    readonly sources: NodeSources;
    readonly close: () => void;
  }>;
  /** Whether the estimator runs that adds up IPVS's counters. */
  readonly isEstimating: () => boolean;
  /** The files of /proc/self. */
  readonly ownProcess: () => Sysctl;
}

/** The machine, its kernel, and the API server or the manifests. */
export const systemEnvironment: Environment = {
  clock: systemClock,
  names: abstractNames,
  openObjects,
  openKernel,
  openIpvsReader,
  openNodeReader: async () => (await import('./open-reader.ts')).openReader(),
  isEstimating,
  ownProcess,
};
