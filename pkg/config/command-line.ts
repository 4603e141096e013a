import { type Argument, type FlagShape, readArguments } from './arguments.ts';
import { removedFlags } from './fields/leftovers.ts';
import { type AnyField, fields, type Settings } from './fields.ts';

/** The options on the command line. */
export interface GivenFlags {
  /** The values of the options whose flag was given. */
  readonly values: Partial<Settings>;
  /** Flags that upstream has removed, such as `--udp-timeout`. They have no effect. */
  readonly removed: readonly string[];
}

/** What a command line requests. */
export type CommandLine =
  | { readonly action: 'run'; readonly given: GivenFlags }
  | { readonly action: 'help' }
  | { readonly action: 'version'; readonly isRaw: boolean }
  /** All errors, each with its flag or argument, and the valid flags. */
  | { readonly action: 'refuse'; readonly errors: readonly string[]; readonly given: GivenFlags };

/** An option with a flag. */
type FlagField = AnyField & { readonly flag: string };

const flagFields: readonly FlagField[] = fields.flatMap((row) =>
  row.flag === undefined ? [] : [{ ...row, flag: row.flag }],
);

const fieldsByFlag: ReadonlyMap<string, FlagField> = new Map(
  flagFields.map((row) => [row.flag, row]),
);

const shapes = flagFields.map(({ flag, shorthand, type }) => ({
  name: flag,
  shorthand,
  standsAlone: type.alone !== undefined,
}));

/** Parses the program's arguments by pflag's rules. If a flag is repeated, the last value counts; lists and maps grow. */
export function readCommandLine(argv: readonly string[]): CommandLine {
  const values = new Map<FlagField, unknown>();
  const errors = new Set<string>();
  const removed = new Set<string>();
  for (const argument of readArguments(argv, shapes)) {
    const field = argument.kind === 'flag' ? fieldsByFlag.get(argument.name) : undefined;
    if (field === undefined || argument.kind !== 'flag') {
      if (argument.kind === 'unknown' && removedFlags.has(argument.name))
        removed.add(argument.typed);
      else errors.add(complaint(argument));
      continue;
    }
    const value = valueOf(field, argument.value);
    if ('problem' in value) errors.add(value.problem);
    else values.set(field, joined(field, { earlier: values.get(field), value: value.value }));
  }
  const entries = [...values].map(([{ path }, value]) => [path, value]);
  const given: GivenFlags = {
    values: Object.fromEntries(entries) as Partial<Settings>, // each value was parsed by the option's own type
    removed: [...removed],
  };
  return errors.size > 0 ? { action: 'refuse', errors: [...errors], given } : actionOf(given);
}

/** The command line of a subcommand, which takes the program's own flags too. */
export interface SubcommandLine {
  /** The last value of each flag of the subcommand that was given; `undefined` for one without a value. */
  readonly flags: ReadonlyMap<string, string | undefined>;
  readonly positionals: readonly string[];
  /** The rest: the program's own flags. */
  readonly program: CommandLine;
}

/** Parses the arguments of a subcommand with some flags of its own. */
export function readSubcommandLine(
  argv: readonly string[],
  own: readonly FlagShape[],
): SubcommandLine {
  const names = new Set(own.map(({ name }) => name));
  const flags = new Map<string, string | undefined>();
  const positionals: string[] = [];
  const rest: string[] = [];
  for (const argument of readArguments(argv, [...shapes, ...own])) {
    if (argument.kind === 'positional') positionals.push(argument.text);
    else if (argument.kind === 'unknown') rest.push(argument.typed);
    else if (names.has(argument.name)) flags.set(argument.name, argument.value);
    else rest.push(joinedFlag(argument));
  }
  return { flags, positionals, program: readCommandLine(rest) };
}

function joinedFlag({ name, value }: Extract<Argument, { kind: 'flag' }>): string {
  return value === undefined ? `--${name}` : `--${name}=${value}`;
}

/** The flag of a field: `--ipvs-sync-period`. An index (`[2]`) at the end of the path is ignored. */
export function flagOfField(path: string): string | undefined {
  const name = fields.find((row) => row.path === path.replace(/\[\d+\]$/, ''))?.flag;
  return name === undefined ? undefined : `--${name}`;
}

function complaint(argument: Argument): string {
  switch (argument.kind) {
    case 'unknown':
      return `unknown flag ${argument.typed}`;
    case 'positional':
      return `unexpected argument ${quote(argument.text)}`;
    case 'flag':
      return `unknown flag --${argument.name}`;
  }
}

function valueOf(
  { flag, type }: FlagField,
  given: string | undefined,
): { readonly value: unknown } | { readonly problem: string } {
  if (given === undefined) {
    return type.alone === undefined
      ? { problem: `--${flag} needs a value` }
      : { value: type.alone };
  }
  const value = type.parse(given);
  if (value !== undefined) return { value };
  return { problem: `--${flag}: invalid value ${quote(given)}: must be ${type.wanted}` };
}

function joined(
  { type }: FlagField,
  { earlier, value }: { earlier: unknown; value: unknown },
): unknown {
  return earlier === undefined ? value : (type.join?.(earlier, value) ?? value);
}

function actionOf(given: GivenFlags): CommandLine {
  if (given.values['--help'] === true) return { action: 'help' };
  const version = given.values['--version'] ?? false;
  if (version !== false) return { action: 'version', isRaw: version === 'raw' };
  return { action: 'run', given };
}

function quote(text: string): string {
  return JSON.stringify(text);
}
