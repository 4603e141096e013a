import type { GivenFlags } from './command-line.ts';
import { type AnyField, fields, type Path, type Settings } from './fields.ts';
import type { FileContent } from './file.ts';
import { gateWarnings } from './gates.ts';

/** One line of the log. */
export interface Notice {
  readonly severity: 'info' | 'warn';
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The given options and where they are from. */
export interface Sources {
  readonly given: GivenFlags;
  readonly settings: Settings;
  /** Undefined without `--config`. */
  readonly content: FileContent | undefined;
  /** The options that were set by flags. */
  readonly fromFlags: ReadonlySet<Path>;
}

/** Lines to log once about a valid configuration, one for each subject. */
export function notices(sources: Sources): readonly Notice[] {
  return [
    ...ofFlags(sources),
    ...ofFile(sources),
    ...ofSupport(sources),
    ...ofValues(sources.settings),
  ];
}

function ofFlags({ given, content, fromFlags }: Sources): readonly Notice[] {
  const flags = fields.filter(({ path }) => path in given.values);
  const ignored = content === undefined ? [] : flags.filter(({ path }) => !fromFlags.has(path));
  const deprecated = flags.filter(({ path }) => fromFlags.has(path));
  return [
    ...listed('flags do not count beside --config', { flags: ignored.map(nameOf) }),
    ...listed('flags that no longer exist are ignored', { flags: given.removed }),
    ...deprecated.flatMap((row) =>
      row.deprecated === undefined
        ? []
        : [warning('a flag is deprecated', { flag: nameOf(row), use: row.deprecated })],
    ),
  ];
}

function ofFile({ content }: Sources): readonly Notice[] {
  if (content === undefined) return [];
  return [
    ...listed('using lenient decoding: the configuration file has unknown fields', {
      fields: content.unknown,
    }),
    ...listed('using lenient decoding: the configuration file has fields twice, the last counts', {
      fields: content.repeated,
    }),
  ];
}

/** Names the options that are set and have no effect. A field of a file counts if it differs from the default, as kubeadm writes all fields. */
function ofSupport({ settings, fromFlags }: Sources): readonly Notice[] {
  const set = fields.filter(
    (row) => fromFlags.has(row.path) || !isDefault(row, settings[row.path]),
  );
  const useless = set.filter(({ support }) => support.kind === 'none').map(nameOf);
  return listed('options have no effect here', { options: useless }, 'info');
}

function ofValues(settings: Settings): readonly Notice[] {
  const isApiNamed = settings['clientConnection.kubeconfig'] !== '' || settings['--master'] !== '';
  const isApiUnused = settings['ipvs.manifests'] !== '' && isApiNamed;
  return [
    ...(settings.mode === ''
      ? [warning('no proxy mode given; using ipvs, the only one there is')]
      : []),
    ...(isApiUnused
      ? [warning('objects come from the manifests; kubeconfig and master are not used')]
      : []),
    ...gateWarnings(settings.featureGates).map((message) => warning(message)),
  ];
}

function isDefault({ type, default: preset }: AnyField, value: unknown): boolean {
  return type.print(value) === type.print(preset);
}

/** The name of an option for an operator: its flag, or else its field. */
function nameOf({ flag, path }: AnyField): string {
  return flag === undefined ? path : `--${flag}`;
}

function warning(message: string, details?: Notice['details']): Notice {
  return { severity: 'warn', message, ...(details && { details }) };
}

/** A line that lists names; none without names. */
function listed(
  message: string,
  what: Readonly<Record<string, readonly string[]>>,
  severity: Notice['severity'] = 'warn',
): readonly Notice[] {
  const [names] = Object.entries(what);
  if (names === undefined || names[1].length === 0) return [];
  return [{ severity, message, details: { [names[0]]: names[1].join(', ') } }];
}
