import { parseAddress } from '../ip/address.ts';
import type { GivenFlags } from './command-line.ts';
import { isUpstreamMode } from './fields/proxy.ts';
import { defaultPorts } from './fields/servers.ts';
import { type AnyField, defaults, fields, type Path, type Settings, settingsOf } from './fields.ts';
import { type FileContent, readConfigFile } from './file.ts';
import { type Notice, notices } from './notices.ts';
import { type Violation, validate } from './validate.ts';

/** The settings from the command line and the file, and what is wrong with them. */
export interface Loaded {
  /** The values of all options. Use them only if there are no violations. */
  readonly settings: Settings;
  readonly violations: readonly Violation[];
  /** The options that were set on the command line and count. */
  readonly fromFlags: ReadonlySet<Path>;
  /** Lines to log once for the operator. */
  readonly notices: readonly Notice[];
}

/** The values before defaults are filled in. */
interface Said {
  readonly values: Partial<Settings>;
  readonly fromFlags: ReadonlySet<Path>;
}

/**
 * Combines flags and file as upstream does. With a file, its fields count, and only those flags that the table marks. Without one,
 * the flags count. `file` is the text of the file of `--config`. Throws ConfigFileError.
 */
export function load(given: GivenFlags, file: string | undefined): Loaded {
  const content = file === undefined ? undefined : readConfigFile(file);
  const said = content === undefined ? flagsAlone(given) : flagsAndFile(given, content);
  const settings = complete(forCleanup(said.values));
  const violations = [...(content?.violations ?? []), ...validate(settings)];
  return {
    settings: resolve(settings),
    violations,
    fromFlags: said.fromFlags,
    notices: notices({ given, settings, content, fromFlags: said.fromFlags }),
  };
}

/** For a clean-up, upstream's other modes are accepted, as it removes what any mode left. */
function forCleanup(values: Partial<Settings>): Partial<Settings> {
  const { '--cleanup': isCleanup = false, mode = '' } = values;
  return isCleanup && isUpstreamMode(mode) ? { ...values, mode: 'ipvs' } : values;
}

function flagsAlone({ values }: GivenFlags): Said {
  return { values: withDeprecatedPorts(values), fromFlags: pathsOf(values) };
}

function flagsAndFile(given: GivenFlags, content: FileContent): Said {
  const flags = fields
    .filter(({ path, countsBesideFile }) => countsBesideFile === true && path in given.values)
    .map((row) => [row.path, given.values[row.path]] as const);
  const values = { ...content.values, ...Object.fromEntries(flags) };
  const first = given.values['logging.vmodule'] ?? [];
  const second = content.values['logging.vmodule'] ?? [];
  return {
    values: { ...values, 'logging.vmodule': [...first, ...second] },
    fromFlags: new Set(flags.map(([path]) => path)),
  };
}

function pathsOf(values: Partial<Settings>): ReadonlySet<Path> {
  return new Set(fields.map(({ path }) => path).filter((path) => path in values));
}

/** Fills in the defaults. With an IPv6 address of the node the two servers listen on IPv6 by default. */
function complete(values: Partial<Settings>): Settings {
  const bindAddress = parseAddress(values.bindAddress ?? defaults.bindAddress);
  const moved = bindAddress?.includes(':') ? serversOnIPv6 : {};
  const valueOf = ({ path, default: preset }: AnyField) =>
    values[path] ?? (moved as Partial<Settings>)[path] ?? preset;
  return settingsOf(valueOf);
}

/** The defaults of the servers' addresses if the node's own address is IPv6. */
const serversOnIPv6 = {
  healthzBindAddress: `[::]:${defaultPorts.healthz}`,
  metricsBindAddress: `[::1]:${defaultPorts.metrics}`,
};

/** Applies `--healthz-port` and `--metrics-port`, which only complete the addresses; 0 empties one. */
function withDeprecatedPorts(values: Partial<Settings>): Partial<Settings> {
  const healthz = values['--healthz-port'];
  const metrics = values['--metrics-port'];
  return {
    ...values,
    ...(healthz !== undefined && {
      healthzBindAddress: withPort(values.healthzBindAddress ?? '0.0.0.0', healthz),
    }),
    ...(metrics !== undefined && {
      metricsBindAddress: withPort(values.metricsBindAddress ?? '127.0.0.1', metrics),
    }),
  };
}

function withPort(text: string, port: number): string {
  if (port === 0) return '';
  const address = parseAddress(text);
  if (address === undefined) return text;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Replaces empty values by their meaning, as upstream does on Linux, and completes addresses without a port. */
function resolve(settings: Settings): Settings {
  return {
    ...settings,
    healthzBindAddress: withPort(settings.healthzBindAddress, defaultPorts.healthz),
    metricsBindAddress: withPort(settings.metricsBindAddress, defaultPorts.metrics),
    mode: settings.mode === '' ? 'ipvs' : settings.mode,
    detectLocalMode: settings.detectLocalMode === '' ? 'ClusterCIDR' : settings.detectLocalMode,
    'ipvs.scheduler': settings['ipvs.scheduler'] === '' ? 'rr' : settings['ipvs.scheduler'],
  };
}
