import { type IpAddress, parseAddress } from '../ip/address.ts';
import { type Prefix, parsePrefix, printPrefix } from '../ip/prefix.ts';
import { DumpError } from './dump-error.ts';
import type { NameKind, Replace } from './replace.ts';

// What is in a dump is declared once: the forms below write values as JSON, read them back with their shape checked, and say which
// parts of them are names and addresses. What no form names is not written.

/** A value in a dump. */
export interface Form<Value> {
  /** Writes a value in pieces of JSON text. */
  pieces(value: Value, replace: Replace): Iterable<string>;
  /** Reads a value. Throws a DumpError that names its place. */
  read(json: unknown, place: string): Value;
}

/** How many elements a list may have when it is read. */
const elementLimit = 2_000_000;
/** How many characters one text may have when it is read. */
const textLimit = 65_536;

/** A form whose values are small: they are written in one piece. */
interface SmallForm<Value> extends Form<Value> {
  json(value: Value, replace: Replace): unknown;
}

function small<Value>(
  json: (value: Value, replace: Replace) => unknown,
  read: (json: unknown, place: string) => Value,
): SmallForm<Value> {
  return {
    json,
    read,
    pieces: (value, replace) => [JSON.stringify(json(value, replace))],
  };
}

function isSmall<Value>(form: Form<Value>): form is SmallForm<Value> {
  return 'json' in form;
}

/** A form for values that one of another type stand for. `from` returns what is wrong as a text. */
function mapped<Value>(
  to: (value: Value, replace: Replace) => unknown,
  from: (json: unknown) => Value | undefined,
  wanted: string,
): SmallForm<Value> {
  return small(to, (json, place) => {
    const value = from(json);
    if (value === undefined) throw new DumpError(`${place}: must be ${wanted}, not ${shown(json)}`);
    return value;
  });
}

/** A whole number. */
export function whole({ min = 0, max = Number.MAX_SAFE_INTEGER } = {}): SmallForm<number> {
  const isRight = (json: unknown): json is number =>
    Number.isSafeInteger(json) && (json as number) >= min && (json as number) <= max;
  return mapped(
    (value) => value,
    (json) => (isRight(json) ? json : undefined),
    `a whole number from ${min} to ${max}`,
  );
}

/** A port number; 0 for none. */
export const port = whole({ max: 65_535 });
/** True or false. */
export const boolean = mapped<boolean>(
  (value) => value,
  (json) => (typeof json === 'boolean' ? json : undefined),
  'true or false',
);
/** A counter of 64 bits, as text. */
export const counter = mapped<bigint>(
  String,
  (json) => (typeof json === 'string' && /^\d{1,20}$/.test(json) ? BigInt(json) : undefined),
  'a count as text',
);

/** One of some words. */
export function oneOf<Word extends string>(...words: readonly Word[]): SmallForm<Word> {
  return mapped(
    (value) => value,
    (json) => words.find((word) => word === json),
    `one of ${words.join(', ')}`,
  );
}

/** A text of a pattern that names nothing: a scheduler, a release. */
export function word(pattern: RegExp): SmallForm<string> {
  return mapped(
    (value) => (pattern.test(value) ? value : ''),
    (json) => (typeof json === 'string' && (json === '' || pattern.test(json)) ? json : undefined),
    `a text like ${pattern.source}`,
  );
}

function anyText(replaced: (value: string, replace: Replace) => string): SmallForm<string> {
  return mapped(
    replaced,
    (json) => (typeof json === 'string' && json.length <= textLimit ? json : undefined),
    `a text of at most ${textLimit} characters`,
  );
}

/** A text for people. */
export const text = anyText((value, replace) => replace.text(value));
/** A line as `iptables-save` prints it. */
export const rule = anyText((value, replace) => replace.rule(value));
/** A line in the text format of Prometheus. */
export const metric = anyText((value, replace) => replace.metric(value));

/** The name of something. */
export function name(kind: NameKind): SmallForm<string> {
  return anyText((value, replace) => (value === '' ? '' : replace.name(kind, value)));
}

/** An IP address as text. */
export const address = mapped<IpAddress>(
  (value, replace) => replace.address(value),
  (json) => (typeof json === 'string' ? parseAddress(json) : undefined),
  'an IP address',
);
/** A network as text, such as `10.0.0.0/8`. */
export const network = mapped<Prefix>(
  (value, replace) => printPrefix(replace.network(value)),
  (json) => (typeof json === 'string' ? parsePrefix(json) : undefined),
  'a network',
);

/** A value, or `undefined`, which is `null` in JSON. */
export function maybe<Value>(form: SmallForm<Value>): SmallForm<Value | undefined>;
/** The same of a value that is written in pieces. */
export function maybe<Value>(form: Form<Value>): Form<Value | undefined>;
/** Writes and reads either. */
export function maybe<Value>(form: Form<Value>): Form<Value | undefined> {
  const read = (json: unknown, place: string) =>
    json === null ? undefined : form.read(json, place);
  if (isSmall(form))
    return small(
      (value, replace) => (value === undefined ? null : form.json(value, replace)),
      read,
    );
  return {
    read,
    pieces: (value, replace) => (value === undefined ? ['null'] : form.pieces(value, replace)),
  };
}

/** Small values in order, in one piece. */
export function list<Value>(form: SmallForm<Value>): SmallForm<readonly Value[]> {
  return small(
    (values, replace) => values.map((value) => form.json(value, replace)),
    (json, place) => readList(json, { form, place }),
  );
}

/** Any number of values, each in a line of its own. */
export function lines<Value>(form: Form<Value>): Form<readonly Value[]> {
  return {
    *pieces(values, replace) {
      let before = '[\n';
      for (const value of values) {
        yield before;
        yield* form.pieces(value, replace);
        before = ',\n';
      }
      yield values.length === 0 ? '[]' : '\n]';
    },
    read: (json, place) => readList(json, { form, place }),
  };
}

function readList<Value>(
  json: unknown,
  { form, place }: { readonly form: Form<Value>; readonly place: string },
): readonly Value[] {
  if (!Array.isArray(json)) throw new DumpError(`${place}: must be a list, not ${shown(json)}`);
  if (json.length > elementLimit)
    throw new DumpError(`${place}: has more than ${elementLimit} elements`);
  return json.map((element: unknown, index) => form.read(element, `${place}[${index}]`));
}

type Fields<Value> = { readonly [Key in keyof Value]-?: Form<Value[Key]> };
type SmallFields<Value> = { readonly [Key in keyof Value]-?: SmallForm<Value[Key]> };

/** An object of small values with these fields and no others, in one piece. */
export function record<Value extends object>(fields: SmallFields<Value>): SmallForm<Value> {
  const entries = Object.entries(fields) as [keyof Value & string, SmallForm<unknown>][];
  return small(
    (value, replace) =>
      Object.fromEntries(entries.map(([key, form]) => [key, form.json(value[key], replace)])),
    (json, place) => readFields<Value>(json, { entries, place }),
  );
}

/** An object with these fields and no others. */
export function largeRecord<Value extends object>(fields: Fields<Value>): Form<Value> {
  const entries = Object.entries(fields) as [keyof Value & string, Form<unknown>][];
  return {
    *pieces(value, replace) {
      let before = '{';
      for (const [key, form] of entries) {
        yield `${before}${JSON.stringify(key)}:`;
        yield* form.pieces(value[key], replace);
        before = ',';
      }
      yield '}';
    },
    read: (json, place) => readFields<Value>(json, { entries, place }),
  };
}

function readFields<Value>(
  json: unknown,
  {
    entries,
    place,
  }: {
    readonly entries: readonly (readonly [string, Form<unknown>])[];
    readonly place: string;
  },
): Value {
  const object = objectOf(json, place);
  // Each field is read by its own form, so the fields together are the value.
  return Object.fromEntries(
    entries.map(([key, form]) => [key, form.read(object[key], `${place}.${key}`)]),
  ) as Value;
}

/** The members of a union whose tag may be of a kind. */
type Member<Value, Tag extends string, Kind> = Value extends { readonly [Key in Tag]: infer Own }
  ? Kind extends Own
    ? Value
    : never
  : never;

/** An object of one of several kinds, which its field `tag` names. */
export function union<Tag extends string, Value extends { readonly [Key in Tag]: string }>(
  tag: Tag,
  forms: { readonly [Kind in Value[Tag]]: SmallForm<Member<Value, Tag, Kind>> },
): SmallForm<Value> {
  const kinds = new Map(Object.entries(forms) as [string, SmallForm<Value>][]);
  const formOf = (kind: unknown, place: string) => {
    const form = typeof kind === 'string' ? kinds.get(kind) : undefined;
    if (form === undefined)
      throw new DumpError(
        `${place}.${tag}: must be one of ${[...kinds.keys()].join(', ')}, not ${shown(kind)}`,
      );
    return form;
  };
  return small(
    (value, replace) => formOf(value[tag], 'value').json(value, replace),
    (json, place) => formOf(objectOf(json, place)[tag], place).read(json, place),
  );
}

/** Values by a text, such as the path of a setting. `key` says what becomes of the text. */
export function table<Value>(
  form: SmallForm<Value>,
  key: (name: string, replace: Replace) => string = (name) => name,
): SmallForm<ReadonlyMap<string, Value>> {
  return small(
    (values, replace) =>
      Object.fromEntries(
        [...values].map(([path, value]) => [key(path, replace), form.json(value, replace)]),
      ),
    (json, place) =>
      new Map(
        Object.entries(objectOf(json, place)).map(([path, value]) => [
          path,
          form.read(value, `${place}[${JSON.stringify(path)}]`),
        ]),
      ),
  );
}

/** The value as an object. Throws a DumpError if it is none. */
export function objectOf(json: unknown, place: string): Readonly<Record<string, unknown>> {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new DumpError(`${place}: must be an object, not ${shown(json)}`);
  return json as Readonly<Record<string, unknown>>;
}

/** A wrong value for a message: short, and in one line. */
function shown(json: unknown): string {
  if (json === undefined) return 'missing';
  if (Array.isArray(json)) return 'a list';
  if (typeof json === 'object' && json !== null) return 'an object';
  const printed = JSON.stringify(json) ?? typeof json;
  return printed.length > 60 ? `${printed.slice(0, 60)}…` : printed;
}
