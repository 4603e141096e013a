import { parseAddress } from '../ip/address.ts';
import { parsePrefix, prefixFamily } from '../ip/prefix.ts';
import { printDuration } from './duration.ts';
import { parseListenAddress } from './listen-address.ts';
import { type Configuration, drainModes } from './types.ts';

/** One thing that is wrong with a configuration. */
export interface Violation {
  /** Path below `KubeProxyConfiguration`, as in `ipvs.excludeCIDRs[1]`. */
  readonly field: string;
  /** The value as written, for people. */
  readonly value: string;
  readonly message: string;
}

/** Ports of the two servers where an address has none. */
export const defaultPorts = { healthz: 10_256, metrics: 10_249 } as const;

/** The ways to tell the node's own pods; empty means the first. */
const detectLocalModes = [
  'ClusterCIDR',
  'NodeCIDR',
  'BridgeInterface',
  'InterfaceNamePrefix',
] as const;

/** Everything that is wrong with a configuration, in the order of its fields; `[]` if it is valid. */
export function validate(configuration: Configuration): readonly Violation[] {
  return rules.flatMap((rule) => rule(configuration));
}

/** `KubeProxyConfiguration.ipvs.syncPeriod: Invalid value: "0s": must be greater than 0`. */
export function printViolation({ field, value, message }: Violation): string {
  return `KubeProxyConfiguration.${field}: Invalid value: ${JSON.stringify(value)}: ${message}`;
}

type Rule = (configuration: Configuration) => readonly Violation[];

const rules: readonly Rule[] = [
  ({ hostnameOverride: value }) =>
    check(value === '' || value.trim() !== '', {
      field: 'hostnameOverride',
      value,
      message: 'must not be blank',
    }),
  ({ bindAddress: value }) =>
    check(parseAddress(value) !== undefined, {
      field: 'bindAddress',
      value,
      message: 'not a valid textual representation of an IP address',
    }),
  ({ healthzBindAddress: value }) =>
    checkListenAddress('healthzBindAddress', { value, port: defaultPorts.healthz }),
  ({ metricsBindAddress: value }) =>
    checkListenAddress('metricsBindAddress', { value, port: defaultPorts.metrics }),
  ({ mode }) => checkMode(mode),
  ({ iptables: { masqueradeBit } }) =>
    check(masqueradeBit >= 0 && masqueradeBit <= 31, {
      field: 'iptables.masqueradeBit',
      value: String(masqueradeBit),
      message: 'must be within the range [0, 31]',
    }),
  ({ ipvs }) => checkPeriods(ipvs),
  ({ ipvs }) => checkDrains(ipvs),
  ({ ipvs: { excludeCIDRs } }) =>
    excludeCIDRs.flatMap((value, index) =>
      check(parsePrefix(value) !== undefined, {
        field: `ipvs.excludeCIDRs[${index}]`,
        value,
        message: 'must be a valid CIDR',
      }),
    ),
  checkDetectLocal,
  ({ logging: { verbosity } }) =>
    check(verbosity >= 0, {
      field: 'logging.verbosity',
      value: String(verbosity),
      message: 'must be greater than or equal to 0',
    }),
];

function check(isRight: boolean, violation: Violation): readonly Violation[] {
  return isRight ? [] : [violation];
}

function checkListenAddress(
  field: string,
  { value, port }: { value: string; port: number },
): readonly Violation[] {
  const result = value === '' ? undefined : parseListenAddress(value, port);
  return result && 'problem' in result ? [{ field, value, message: result.problem }] : [];
}

function checkMode(mode: string): readonly Violation[] {
  if (mode === '' || mode === 'ipvs') return [];
  const isOther = mode === 'iptables' || mode === 'nftables';
  const message = isOther ? 'this program knows mode ipvs only' : 'must be ipvs or blank';
  return [{ field: 'mode', value: mode, message }];
}

function checkPeriods({ syncPeriod, minSyncPeriod }: Configuration['ipvs']): readonly Violation[] {
  const shortest = { field: 'ipvs.minSyncPeriod', value: printDuration(minSyncPeriod) };
  return [
    ...check(syncPeriod > 0, {
      field: 'ipvs.syncPeriod',
      value: printDuration(syncPeriod),
      message: 'must be greater than 0',
    }),
    ...check(minSyncPeriod >= 0, { ...shortest, message: 'must be greater than or equal to 0' }),
    ...check(minSyncPeriod <= Math.max(syncPeriod, 0), {
      ...shortest,
      message: `must not be greater than ipvs.syncPeriod, ${printDuration(syncPeriod)}`,
    }),
  ];
}

function checkDrains({
  gracefulTermination: mode,
  drainTimeout,
}: Configuration['ipvs']): readonly Violation[] {
  return [
    ...check(
      drainModes.some((known) => known === mode),
      {
        field: 'ipvs.gracefulTermination',
        value: mode,
        message: `must be ${drainModes.join(' or ')}`,
      },
    ),
    ...check(drainTimeout >= 0, {
      field: 'ipvs.drainTimeout',
      value: printDuration(drainTimeout),
      message: 'must be greater than or equal to 0',
    }),
  ];
}

function checkDetectLocal(configuration: Configuration): readonly Violation[] {
  const { detectLocalMode: mode, detectLocal, clusterCIDR } = configuration;
  switch (mode) {
    case '':
    case 'ClusterCIDR':
      return checkClusterCIDR(clusterCIDR);
    case 'NodeCIDR':
      return [];
    case 'BridgeInterface':
      return checkInterface('detectLocal.bridgeInterface', detectLocal.bridgeInterface);
    case 'InterfaceNamePrefix':
      return checkInterface('detectLocal.interfaceNamePrefix', detectLocal.interfaceNamePrefix);
    default: {
      const message = `must be one of ${detectLocalModes.join(', ')} or blank`;
      return [{ field: 'detectLocalMode', value: mode, message }];
    }
  }
}

function checkClusterCIDR(value: string): readonly Violation[] {
  if (value.trim() === '') return [];
  const networks = splitCIDRs(value).map(parsePrefix);
  const families = networks.map((network) => network && prefixFamily(network));
  const isRight =
    networks.length <= 2 &&
    !families.includes(undefined) &&
    new Set(families).size === networks.length;
  const message = 'must be a valid CIDR, or two of different families with a comma between them';
  return check(isRight, { field: 'clusterCIDR', value, message });
}

/** The texts of a list with commas, without the blanks around them. */
export function splitCIDRs(text: string): readonly string[] {
  return text.split(',').map((part) => part.trim());
}

/** What the kernel takes as a name, and what iptables-restore reads back as one word. */
function checkInterface(field: string, value: string): readonly Violation[] {
  if (value === '') return [{ field, value, message: 'must not be empty' }];
  return check(/^[\w.:@-]{1,15}$/.test(value), {
    field,
    value,
    message: 'must be the name of an interface, 15 letters, digits or .:_@- at most',
  });
}
