import { parseAddress } from '../ip/address.ts';
import type { GivenFlags } from './command-line.ts';
import { isUpstreamMode } from './fields/proxy.ts';
import { defaultPorts } from './fields/servers.ts';
import { type AnyField, defaults, fields, type Path, type Settings, settingsOf } from './fields.ts';
import { type FileContent, readConfigFile } from './file.ts';
import { type Notice, notices } from './notices.ts';
import { type Violation, validate } from './validate.ts';

/** What holds after the command line and the file were read, and what is wrong with it. */
export interface Loaded {
  /** What every option is; only to be used if there are no violations. */
  readonly settings: Settings;
  readonly violations: readonly Violation[];
  /** Options that were given on the command line and count. */
  readonly fromFlags: ReadonlySet<Path>;
  /** What the operator should be told once. */
  readonly notices: readonly Notice[];
}

/** What is known before the defaults are filled in. */
interface Said {
  readonly values: Partial<Settings>;
  readonly fromFlags: ReadonlySet<Path>;
}

/**
 * Puts flags and file together as upstream does: with a file, its fields count and flags only where the table says so; without
 * one, the flags. `file` is the text that `--config` names, and undefined without `--config`. Throws ConfigFileError.
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

/** A clean-up removes what every mode left, so it is asked for with any mode: that of upstream's other modes does not matter. */
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

/** Fills in the defaults. An IPv6 address of the node moves the two servers to IPv6, unless they were told where to be. */
function complete(values: Partial<Settings>): Settings {
  const bindAddress = parseAddress(values.bindAddress ?? defaults.bindAddress);
  const moved = bindAddress?.includes(':') ? serversOnIPv6 : {};
  const valueOf = ({ path, default: preset }: AnyField) =>
    values[path] ?? (moved as Partial<Settings>)[path] ?? preset;
  return settingsOf(valueOf);
}

/** Where the servers listen if nothing was said and the node's own address is an IPv6 one. */
const serversOnIPv6 = {
  healthzBindAddress: `[::]:${defaultPorts.healthz}`,
  metricsBindAddress: `[::1]:${defaultPorts.metrics}`,
};

/** What `--healthz-port` and `--metrics-port` do to the addresses, which they only complete; 0 empties one. */
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

/** What an empty value of some options means, as in upstream for its own platform, and which port an address without one gets. */
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
