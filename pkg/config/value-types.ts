import { parseDuration, printDuration } from '../runner/duration.ts';

/** How values of a type are parsed and printed: as text on the command line, as JSON in a file. */
export interface ValueType<Value> {
  /** For the help and the reference. */
  readonly name: string;
  /** What a value must be, for messages: `must be …`. */
  readonly wanted: string;
  /** The empty value of a field in a file, as Kubernetes writes it. */
  readonly zero: Value;
  /** Parses a text of the command line; `undefined` if it is invalid. */
  parse(text: string): Value | undefined;
  /** Decodes a value of a file; `undefined` if it is of another type. */
  decode(value: unknown): Value | undefined;
  /** The value for a file. */
  encode(value: Value): unknown;
  /** The value for the command line. */
  print(value: Value): string;
  /** Combines the values of a repeated flag. Without it, the last one counts. */
  join?(earlier: Value, value: Value): Value;
  /** The value of a flag without a value. */
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

/** Further words for true and false in YAML 1.1, which upstream reads; in YAML 1.2 they are texts. */
const wordsOfYaml: ReadonlyMap<string, boolean> = new Map([
  ...['yes', 'Yes', 'YES', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['no', 'No', 'NO', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
]);

/** A signed 32-bit integer. */
export const int32: ValueType<number> = {
  name: 'int32',
  wanted: 'a whole number of 32 bits',
  zero: 0,
  parse: parseInt32,
  decode: (value) => (typeof value === 'number' ? asInt32(value) : undefined),
  encode: (value) => value,
  print: String,
};

/** A decimal number. */
export const float32: ValueType<number> = {
  name: 'float32',
  wanted: 'a number',
  zero: 0,
  parse: (value) => (value.trim() === '' ? undefined : finite(Number(value))),
  decode: (value) => (typeof value === 'number' ? finite(value) : undefined),
  encode: (value) => value,
  print: String,
};

/** A duration in Go's syntax; the value is in milliseconds. */
export const duration: ValueType<number> = {
  name: 'duration',
  wanted: 'a duration with a unit, such as 30s or 1h30m',
  zero: 0,
  parse: parseDuration,
  decode: (value) => (typeof value === 'string' ? parseDuration(value) : undefined),
  encode: printDuration,
  print: printDuration,
};

/** A duration that may also be a whole number of nanoseconds in a file, as kubeadm writes `0`. */
export const durationOrNanoseconds: ValueType<number> = {
  ...duration,
  decode: (value) =>
    typeof value === 'number' && Number.isInteger(value) ? value / 1e6 : duration.decode(value),
};

/** A list of texts. On the command line it grows by commas and repetition. */
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

/** Booleans by name: `A=true,B=false`. */
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

/** Verbosities of source files: `pattern=N,…`. */
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

/** A quantity as Kubernetes writes it: `512Ki`, `1.5M`, `0`. */
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

/** Decimal, or with Go's prefixes 0x, 0o, 0b, and 0 for octal. */
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

/** `a=1,b=2` as pairs. Without `=` the second half is empty. */
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

/** All items converted, or `undefined` if one cannot be. */
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
  // Without a prototype, so that it has no names that were not given.
  return read && Object.assign(Object.create(null) as object, Object.fromEntries(read));
}

/** Whether a value of a file is an object and no list. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
