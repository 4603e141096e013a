import { overlap, parsePrefix, prefixFamily } from '../ip/prefix.ts';
import { printDuration } from '../runner/duration.ts';
import { isVipRange } from './checks.ts';
import { type AnyField, fields, isFileField, type Settings } from './fields.ts';

/** One problem of a configuration. */
export interface Violation {
  /** The path below `KubeProxyConfiguration`: `ipvs.excludeCIDRs[1]`; `--name` for options that only the command line has. */
  readonly field: string;
  /** The value as written, for messages. */
  readonly value: string;
  readonly message: string;
}

/** All problems of settings: those of single options in the order of the table, then those between options. None if they are valid. */
export function validate(settings: Settings): readonly Violation[] {
  return [
    ...fields.flatMap((row) => checkField(row, settings)),
    ...rules.flatMap((rule) => rule(settings)),
  ];
}

/** `KubeProxyConfiguration.ipvs.syncPeriod: Invalid value: "0s": must be greater than 0`. */
export function printViolation({ field, value, message }: Violation): string {
  const path = isFileField({ path: field }) ? `KubeProxyConfiguration.${field}: ` : '';
  return `${path}Invalid value: ${JSON.stringify(value)}: ${message}`;
}

function checkField({ path, type, check }: AnyField, settings: Settings): readonly Violation[] {
  const value = settings[path];
  return (check?.(value) ?? []).map(({ message, item }) =>
    item === undefined
      ? { field: path, value: type.print(value), message }
      : { field: `${path}[${item.index}]`, value: item.value, message },
  );
}

type Rule = (settings: Settings) => readonly Violation[];

/** Checks of several options together. */
const rules: readonly Rule[] = [
  checkPeriods,
  checkDetectLocal,
  checkVipRanges,
  checkModuleVerbosities,
];

function checkPeriods(settings: Settings): readonly Violation[] {
  const longest = settings['ipvs.syncPeriod'];
  const shortest = settings['ipvs.minSyncPeriod'];
  return violation(shortest > Math.max(longest, 0), {
    field: 'ipvs.syncPeriod',
    value: printDuration(longest),
    message: `must be greater than or equal to KubeProxyConfiguration.ipvs.minSyncPeriod, ${printDuration(shortest)}`,
  });
}

/** Ranges of VIPs must have nothing in common with one another, nor with the pods' networks. What the node has is known later. */
function checkVipRanges(settings: Settings): readonly Violation[] {
  const texts = settings['ipvs.serviceClusterIPRange'];
  const pods = splitCIDRs(settings.clusterCIDR);
  return texts.flatMap((text, index) => {
    if (!isVipRange(text)) return [];
    const field = `ipvs.serviceClusterIPRange[${index}]`;
    const before = texts
      .slice(0, index)
      .filter(isVipRange)
      .find((other) => doOverlap(text, other));
    const pod = pods.find((other) => doOverlap(text, other));
    return [
      ...violation(before !== undefined, { field, value: text, message: `overlaps ${before}` }),
      ...violation(pod !== undefined, {
        field,
        value: text,
        message: `overlaps clusterCIDR ${pod}`,
      }),
    ];
  });
}

function doOverlap(one: string, other: string): boolean {
  const network = parsePrefix(one);
  const second = parsePrefix(other);
  return network !== undefined && second !== undefined && overlap(network, second);
}

function checkDetectLocal(settings: Settings): readonly Violation[] {
  switch (settings.detectLocalMode) {
    case '':
    case 'ClusterCIDR':
      return checkClusterCIDR(settings.clusterCIDR);
    case 'BridgeInterface':
      return checkInterface('detectLocal.bridgeInterface', settings);
    case 'InterfaceNamePrefix':
      return checkInterface('detectLocal.interfaceNamePrefix', settings);
    default:
      return [];
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
  return violation(!isRight, { field: 'clusterCIDR', value, message });
}

/** The items of a list separated by commas, without blanks around them. */
export function splitCIDRs(text: string): readonly string[] {
  return text.split(',').map((part) => part.trim());
}

/** Checks that the kernel accepts an interface name, and that iptables-restore reads it as one word. */
function checkInterface(
  field: 'detectLocal.bridgeInterface' | 'detectLocal.interfaceNamePrefix',
  settings: Settings,
): readonly Violation[] {
  const value = settings[field];
  if (value === '') return [{ field, value, message: 'must not be empty' }];
  return violation(!/^[\w.:@-]{1,15}$/.test(value), {
    field,
    value,
    message: 'must be the name of an interface, 15 letters, digits or .:_@- at most',
  });
}

function checkModuleVerbosities(settings: Settings): readonly Violation[] {
  const modules = settings['logging.vmodule'];
  return violation(modules.length > 0 && settings['logging.format'] !== 'text', {
    field: 'logging.vmodule',
    value: modules.map(({ filePattern, verbosity }) => `${filePattern}=${verbosity}`).join(','),
    message: 'only supported for the text format',
  });
}

function violation(isWrong: boolean, what: Violation): readonly Violation[] {
  return isWrong ? [what] : [];
}
