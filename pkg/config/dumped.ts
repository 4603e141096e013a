import { documentOf } from './document.ts';
import { type Path, type Settings, settingsOf } from './fields.ts';
import {
  bool,
  duration,
  durationOrNanoseconds,
  float32,
  gates,
  int32,
  quantity,
} from './value-types.ts';

/** The texts that a dump has: what decides about the node's state. No path of a file and no address of an API is among them. */
const texts: ReadonlySet<Path> = new Set<Path>([
  'mode',
  'bindAddress',
  'nodePortAddresses',
  'portRange',
  'ipvs.scheduler',
  'ipvs.excludeCIDRs',
  'ipvs.gracefulTermination',
  'ipvs.vipBinding',
  'ipvs.serviceClusterIPRange',
  'ipvs.estimation',
  'detectLocalMode',
  'clusterCIDR',
  'detectLocal.bridgeInterface',
  'detectLocal.interfaceNamePrefix',
  'healthzBindAddress',
  'metricsBindAddress',
  'logging.format',
]);

/** The types whose values name nothing. */
const plainTypes: ReadonlySet<unknown> = new Set([
  ...[bool, int32, float32],
  ...[duration, durationOrNanoseconds, quantity, gates],
]);

/** Settings as the object of a file, as far as a dump has them. All others have their defaults. */
export function dumpedDocument(settings: Settings): Readonly<Record<string, unknown>> {
  return documentOf(
    settingsOf(({ path, type, default: unset }) =>
      texts.has(path) || plainTypes.has(type) ? settings[path] : unset,
    ),
  );
}
