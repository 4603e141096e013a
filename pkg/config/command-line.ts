import { parseArgs } from 'node:util';
import {
  describeType,
  type Flag,
  type FlagValue,
  parseValue,
  printDefault,
  withField,
} from './flag.ts';
import { flags } from './flags.ts';
import { type Configuration, defaults, defaultsIPv6 } from './types.ts';

/** What a command line asks for. */
export type CommandLine =
  | { readonly action: 'run'; readonly configuration: Configuration }
  | { readonly action: 'help' }
  | { readonly action: 'version'; readonly isRaw: boolean }
  /** Every error, each naming its flag or argument. */
  | { readonly action: 'refuse'; readonly errors: readonly string[] };

/** A flag as it was given; no value if none followed. */
interface Given {
  readonly name: string;
  /** The whole argument as typed, without a value behind `=`. */
  readonly typed: string;
  readonly value: string | undefined;
}

/** An argument that is no flag's value, or a flag. */
type Argument = Given | { readonly positional: string };

/** Every flag by name. */
const flagsByName: ReadonlyMap<string, Flag> = new Map(flags.map((flag) => [flag.name, flag]));

/**
 * Reads the arguments of the program by pflag's rules: `--x=y`, `--x y`, `--bool`, `--bool=false`, `-v 2`,
 * `-v=2`, `-v2`; `_` in a name is `-`; the last one wins, and lists grow.
 */
export function readCommandLine(argv: readonly string[]): CommandLine {
  const values = new Map<Flag, FlagValue>();
  const errors = new Set<string>();
  for (const argument of readArguments(argv)) {
    if ('positional' in argument) {
      errors.add(`unexpected argument ${quote(argument.positional)}`);
      continue;
    }
    const flag = flagsByName.get(argument.name);
    const value = flag === undefined ? undefined : valueOf(flag, argument);
    if (flag === undefined) errors.add(`unknown flag ${argument.typed}`);
    else if (typeof value === 'object' && 'problem' in value) errors.add(value.problem);
    else if (value !== undefined) values.set(flag, joined(values.get(flag), value));
  }
  if (errors.size > 0) return { action: 'refuse', errors: [...errors] };
  return actionOf(values);
}

/** The text that `--help` prints. */
export function helpText(): string {
  const groups = Map.groupBy(flags, ({ group }) => group);
  const sections = [...groups].map(([group, rows]) => `${group}:\n\n${rows.map(helpRow).join('')}`);
  return `${[
    'Makes the Services of a Kubernetes cluster work on this node, through IPVS.',
    'Usage:\n  kube-proxy [flags]',
    ...sections.map((section) => section.trimEnd()),
  ].join('\n\n')}\n`;
}

/** Which flag sets a field, as in `--ipvs-sync-period`; an index (`[2]`) at its end is ignored. */
export function flagOfField(path: string): string | undefined {
  const name = flags.find(({ field }) => field === path.replace(/\[\d+\]$/, ''))?.name;
  return name === undefined ? undefined : dashed(name);
}

function readArguments(argv: readonly string[]): Argument[] {
  const { tokens } = parseArgs({
    args: argv.map(normalized),
    options: Object.fromEntries(flags.map((flag) => [flag.name, parseOption(flag)])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  return tokens.flatMap((token): Argument[] => {
    if (token.kind === 'option-terminator') return [];
    if (token.kind === 'positional') return [{ positional: argv[token.index] ?? token.value }];
    const isShort = !token.rawName.startsWith('--');
    // A value of its own is taken as typed: `normalized` may have seen a name in it.
    const value = token.inlineValue ? token.value : token.value && argv[token.index + 1];
    return [
      {
        name: token.name,
        typed: argv[token.index]?.replace(/=.*$/s, '') ?? token.rawName,
        // As in pflag, -v=2 is -v2.
        value: isShort && token.inlineValue ? value?.replace(/^=/, '') : value,
      },
    ];
  });
}

function parseOption({ type, shorthand }: Flag): { type: 'string' | 'boolean'; short?: string } {
  const isBoolean = type === 'bool' || type === 'version';
  return { type: isBoolean ? 'boolean' : 'string', ...(shorthand && { short: shorthand }) };
}

/** `--a_b=c_d` as `--a-b=c_d`. */
function normalized(argument: string): string {
  return argument.replace(/^--[^=]+/, (name) => name.replaceAll('_', '-'));
}

function valueOf(flag: Flag, given: Given): FlagValue | { readonly problem: string } {
  const isBoolean = flag.type === 'bool' || flag.type === 'version';
  const text = given.value ?? (isBoolean ? 'true' : undefined);
  if (text === undefined) return { problem: `${dashed(flag.name)} needs a value` };
  const value = parseValue(flag.type, text);
  if (value !== undefined) return value;
  const wanted = describeType(flag.type);
  return { problem: `${dashed(flag.name)}: invalid value ${quote(text)}: must be ${wanted}` };
}

function joined(earlier: FlagValue | undefined, value: FlagValue): FlagValue {
  return Array.isArray(earlier) && Array.isArray(value) ? [...earlier, ...value] : value;
}

function actionOf(values: ReadonlyMap<Flag, FlagValue>): CommandLine {
  const asked = new Map([...values].map(([{ name }, value]) => [name, value]));
  if (asked.get('help') === true) return { action: 'help' };
  const version = asked.get('version') ?? false;
  if (version !== false) return { action: 'version', isRaw: version === 'raw' };
  // An IPv6 address of the node moves the two servers to IPv6, unless they were told where to be.
  const isIPv6 = String(asked.get('bind-address')).includes(':');
  let configuration: Configuration = { ...defaults, ...(isIPv6 && defaultsIPv6) };
  for (const [{ field }, value] of values) {
    if (field !== undefined) configuration = withField(configuration, field, value);
  }
  return { action: 'run', configuration };
}

function helpRow(flag: Flag): string {
  const type = flag.type === 'bool' || flag.type === 'version' ? '' : ` ${flag.type}`;
  const short = flag.shorthand === undefined ? '' : `-${flag.shorthand}`;
  const long = flag.name === flag.shorthand ? '' : dashed(flag.name);
  const names = [short, long].filter((name) => name !== '').join(', ');
  const preset = printDefault(flag);
  return `  ${names}${type}\n        ${flag.help}${preset === '' ? '' : ` (default ${preset})`}\n`;
}

/** `--name`, also for `-v`, which has a long form of the same letter. */
function dashed(name: string): string {
  return `--${name}`;
}

function quote(text: string): string {
  return JSON.stringify(text);
}
