import { parseDuration, printDuration } from '../runner/duration.ts';

/** How values of one type are read and written: on the command line as text, in a file as JSON. */
export interface ValueType<Value> {
  /** In the help and the reference. */
  readonly name: string;
  /** What a value must be, for people: `must be …`. */
  readonly wanted: string;
  /** What a field of a file holds that says nothing, as Kubernetes writes it. */
  readonly zero: Value;
  /** What a text on the command line means, or `undefined` if it means nothing. */
  parse(text: string): Value | undefined;
  /** What a value in a file means, or `undefined` if it is of another type. */
  decode(value: unknown): Value | undefined;
  /** The value as a file has it. */
  encode(value: Value): unknown;
  /** The value as the command line has it. */
  print(value: Value): string;
  /** What a flag means that is given again; without it, the last one wins. */
  join?(earlier: Value, value: Value): Value;
  /** What the flag alone, without a value, means. */
  readonly alone?: Value;
}

/** One pattern of `--vmodule`. */
export interface ModuleVerbosity {
  readonly filePattern: string;
  readonly verbosity: number;
}

/** Any text. */
export const text: ValueType<string> = {
  name: 'string',
  wanted: 'text',
  zero: '',
  parse: (value) => value,
  decode: (value) => (typeof value === 'string' ? value : undefined),
  encode: (value) => value,
  print: (value) => value,
};

/** True or false, in the spellings of Go's strconv.ParseBool. */
export const bool: ValueType<boolean> = {
  name: 'bool',
  wanted: 'true or false',
  zero: false,
  alone: true,
  parse: parseBool,
  decode: (value) => (typeof value === 'boolean' ? value : wordsOfYaml.get(String(value))),
  encode: (value) => value,
  print: String,
};

/** What YAML 1.1, which upstream reads, takes for true and false besides; YAML 1.2 reads texts. */
const wordsOfYaml: ReadonlyMap<string, boolean> = new Map([
  ...['yes', 'Yes', 'YES', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['no', 'No', 'NO', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
]);

/** A whole number of 32 bits with a sign. */
export const int32: ValueType<number> = {
  name: 'int32',
  wanted: 'a whole number of 32 bits',
  zero: 0,
  parse: parseInt32,
  decode: (value) => (typeof value === 'number' ? asInt32(value) : undefined),
  encode: (value) => value,
  print: String,
};

/** A number with a fraction. */
export const float32: ValueType<number> = {
  name: 'float32',
  wanted: 'a number',
  zero: 0,
  parse: (value) => (value.trim() === '' ? undefined : finite(Number(value))),
  decode: (value) => (typeof value === 'number' ? finite(value) : undefined),
  encode: (value) => value,
  print: String,
};

/** A length of time as Go writes it; the value is in milliseconds. */
export const duration: ValueType<number> = {
  name: 'duration',
  wanted: 'a duration with a unit, such as 30s or 1h30m',
  zero: 0,
  parse: parseDuration,
  decode: (value) => (typeof value === 'string' ? parseDuration(value) : undefined),
  encode: printDuration,
  print: printDuration,
};

/** The same, which a file may also have as a whole number of nanoseconds: kubeadm writes `0`. */
export const durationOrNanoseconds: ValueType<number> = {
  ...duration,
  decode: (value) =>
    typeof value === 'number' && Number.isInteger(value) ? value / 1e6 : duration.decode(value),
};

/** A list of texts; on the command line by comma and by repetition. */
export const strings: ValueType<readonly string[]> = {
  name: 'strings',
  wanted: 'a list of texts',
  zero: [],
  parse: (value) => (value === '' ? [] : value.split(',')),
  decode: (value) =>
    Array.isArray(value) ? all(value, (item) => text.decode(item ?? '')) : undefined,
  encode: (value) => (value.length === 0 ? null : value),
  print: (value) => value.join(','),
  join: (earlier, value) => [...earlier, ...value],
};

/** Names that are true or false: `A=true,B=false`. */
export const gates: ValueType<Readonly<Record<string, boolean>>> = {
  name: 'name=bool,…',
  wanted: 'names with true or false, such as A=true,B=false',
  zero: {},
  parse: (value) => recordOf(splitPairs(value).map(([name, word]) => [name, parseBool(word)])),
  decode: (value) =>
    isObject(value)
      ? recordOf(Object.entries(value).map(([name, item]) => [name, bool.decode(item ?? false)]))
      : undefined,
  encode: (value) => value,
  print: (value) =>
    Object.entries(value)
      .map(([name, on]) => `${name}=${on}`)
      .join(','),
  join: (earlier, value) => ({ ...earlier, ...value }),
};

/** Verbosities of single source files: `pattern=N,…`. */
export const modules: ValueType<readonly ModuleVerbosity[]> = {
  name: 'pattern=N,…',
  wanted: 'patterns with numbers, such as proxy*=4,config=2',
  zero: [],
  parse: (value) =>
    all(splitPairs(value), ([filePattern, number]) =>
      moduleOf({ filePattern, verbosity: parseInt32(number) ?? -1 }),
    ),
  decode: (value) =>
    Array.isArray(value)
      ? all(value, (item) => (isObject(item) ? moduleOf(item) : undefined))
      : undefined,
  encode: (value) => value,
  print: (value) =>
    value.map(({ filePattern, verbosity }) => `${filePattern}=${verbosity}`).join(','),
  join: (earlier, value) => [...earlier, ...value],
};

/** An amount as Kubernetes writes it: `512Ki`, `1.5M`, `0`. */
export const quantity: ValueType<string> = {
  name: 'quantity',
  wanted: 'an amount, such as 0, 512Ki or 1M',
  zero: '0',
  parse: parseQuantity,
  decode: (value) =>
    typeof value === 'number' || typeof value === 'string'
      ? parseQuantity(String(value))
      : undefined,
  encode: (value) => value,
  print: (value) => value,
};

/** A bool that may also be `raw`. */
export const versionRequest: ValueType<boolean | 'raw'> = {
  name: 'true|false|raw',
  wanted: 'true, false or raw',
  zero: false,
  alone: true,
  parse: (value) => (value === 'raw' ? 'raw' : parseBool(value)),
  decode: () => undefined,
  encode: (value) => value,
  print: String,
};

function parseBool(value: string): boolean | undefined {
  if (/^(1|t|T|true|True|TRUE)$/.test(value)) return true;
  return /^(0|f|F|false|False|FALSE)$/.test(value) ? false : undefined;
}

/** Decimal, or with Go's prefixes 0x, 0o, 0b and 0 for octal. */
function parseInt32(value: string): number | undefined {
  const [, sign, digits = ''] = /^([+-]?)(\w+)$/.exec(value) ?? [];
  const octal = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits;
  if (!/^(0x[\da-f]+|0o[0-7]+|0b[01]+|0|[1-9]\d*)$/i.test(octal)) return undefined;
  return asInt32(Number(octal) * (sign === '-' ? -1 : 1));
}

function asInt32(value: number): number | undefined {
  if (!Number.isInteger(value) || value < -(2 ** 31) || value >= 2 ** 31) return undefined;
  return value === 0 ? 0 : value;
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

function parseQuantity(value: string): string | undefined {
  const form = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+|[KMGTPE]i|[numkMGTPE])?$/;
  return form.test(value) ? value : undefined;
}

/** `a=1,b=2` as pairs; a part without `=` has an empty second half. */
function splitPairs(value: string): readonly (readonly [string, string])[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const at = part.indexOf('=');
      return at < 0 ? [part, ''] : [part.slice(0, at).trim(), part.slice(at + 1).trim()];
    });
}

function moduleOf(item: Readonly<Record<string, unknown>>): ModuleVerbosity | undefined {
  const { filePattern, verbosity } = item;
  const level = int32.decode(verbosity ?? 0);
  const isRight = typeof filePattern === 'string' && filePattern !== '' && (level ?? -1) >= 0;
  return isRight && level !== undefined ? { filePattern, verbosity: level } : undefined;
}

/** Every item changed, or `undefined` if one cannot be. */
function all<Item, Value>(
  items: readonly Item[],
  change: (item: Item) => Value | undefined,
): readonly Value[] | undefined {
  const changed = items.map(change).filter((value) => value !== undefined);
  return changed.length === items.length ? changed : undefined;
}

function recordOf(
  entries: readonly (readonly [string, boolean | undefined])[],
): Readonly<Record<string, boolean>> | undefined {
  const read = all(entries, ([name, on]) =>
    on === undefined || name === '' ? undefined : ([name, on] as const),
  );
  // Without a prototype no name is there that nobody gave.
  return read && Object.assign(Object.create(null) as object, Object.fromEntries(read));
}

/** Whether a value of a file is an object, and no list. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
