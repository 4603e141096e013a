import { parseDuration, printDuration } from './duration.ts';
import { type Configuration, defaults } from './types.ts';

/** What the value of a flag of each type is. */
interface Values {
  readonly string: string;
  readonly bool: boolean;
  readonly int32: number;
  /** Milliseconds. */
  readonly duration: number;
  /** A list, by comma and by repetition. */
  readonly strings: readonly string[];
  /** A boolean that can also be "raw". */
  readonly version: boolean | 'raw';
}

/** The type of a flag's value. */
export type FlagType = keyof Values;

/** What a flag's value can be. */
export type FlagValue = Values[FlagType];

/** Paths of the fields of `T`, two levels deep at most, whose values are of type `V`. */
type FieldsOf<T, V> = {
  [Key in keyof T & string]: T[Key] extends V
    ? Key
    : T[Key] extends string | number | boolean | readonly string[]
      ? never
      : `${Key}.${{ [Inner in keyof T[Key] & string]: T[Key][Inner] extends V ? Inner : never }[keyof T[Key] & string]}`;
}[keyof T & string];

/** The path of a field of the configuration that holds values of one type. */
type Field<Type extends FlagType> = FieldsOf<Configuration, Values[Type]>;

/** One flag of the command line. */
export interface Flag {
  readonly name: string;
  readonly type: FlagType;
  /** One letter that may stand for the name. */
  readonly shorthand?: string;
  /** The heading in the help. */
  readonly group: string;
  readonly help: string;
  /** Where the value goes, as in `ipvs.syncPeriod`. Flags without a field are questions to the program. */
  readonly field?: string;
}

/** The part of a flag's row that ties it to a field of the configuration; the compiler compares the types. */
export function field<Type extends Exclude<FlagType, 'version'>>(
  name: string,
  type: Type,
  path: Field<Type>,
): { readonly name: string; readonly type: Type; readonly field: string } {
  return { name, type, field: path };
}

/** The value that a text means for a type, or `undefined` if it means none. */
export function parseValue(type: FlagType, text: string): FlagValue | undefined {
  switch (type) {
    case 'string':
      return text;
    case 'bool':
      return parseBool(text);
    case 'int32':
      return parseInt32(text);
    case 'duration':
      return parseDuration(text);
    case 'strings':
      return text === '' ? [] : text.split(',');
    case 'version':
      return text === 'raw' ? 'raw' : parseBool(text);
  }
}

/** What a value of a type must be, for people. */
export function describeType(type: FlagType): string {
  switch (type) {
    case 'string':
      return 'text';
    case 'bool':
      return 'true or false';
    case 'int32':
      return 'a whole number of 32 bits';
    case 'duration':
      return 'a duration with a unit, such as 30s or 1h30m';
    case 'strings':
      return 'a list';
    case 'version':
      return 'true, false or raw';
  }
}

/** A flag's default as it would be given on the command line, or '' where it is empty, zero or false. */
export function printDefault({ field: path, type }: Flag): string {
  const value = path === undefined ? undefined : fieldValue(defaults, path);
  if (value === undefined || value === false || value === 0) return '';
  if (type === 'duration') return printDuration(Number(value));
  return Array.isArray(value) ? value.join(',') : `${value as string | number}`; // FlagValues only
}

/** The configuration with one field set. */
export function withField(base: Configuration, path: string, value: FlagValue): Configuration {
  const [head = '', tail] = path.split('.');
  if (tail === undefined) return { ...base, [head]: value };
  const block = (base as unknown as Record<string, object>)[head]; // a path is made by `field` only
  return { ...base, [head]: { ...block, [tail]: value } };
}

/** The value of one field. */
function fieldValue(configuration: Configuration, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], configuration);
}

/** The spellings that Go's strconv.ParseBool takes. */
function parseBool(text: string): boolean | undefined {
  if (/^(1|t|T|true|True|TRUE)$/.test(text)) return true;
  return /^(0|f|F|false|False|FALSE)$/.test(text) ? false : undefined;
}

/** Decimal, or with Go's prefixes 0x, 0o, 0b and 0 for octal. */
function parseInt32(text: string): number | undefined {
  const [, sign, digits = ''] = /^([+-]?)(\w+)$/.exec(text) ?? [];
  const octal = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits;
  if (!/^(0x[\da-f]+|0o[0-7]+|0b[01]+|0|[1-9]\d*)$/i.test(octal)) return undefined;
  const value = Number(octal) * (sign === '-' ? -1 : 1);
  if (value < -(2 ** 31) || value >= 2 ** 31) return undefined;
  return value === 0 ? 0 : value;
}
