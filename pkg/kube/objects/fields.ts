import type { Problem } from '../types.ts';
import { parseTime } from './time.ts';

/** How many problems of one object are listed; further ones are counted. */
const problemLimit = 50;

/** The problems of one object. */
export class Problems {
  readonly #list: Problem[] = [];
  #more = 0;

  /** Adds a problem of a field. */
  add(field: string, message: string): void {
    if (this.#list.length < problemLimit) this.#list.push({ field, message });
    else this.#more++;
  }

  /** All problems in order; beyond a limit only their number. */
  list(): readonly Problem[] {
    if (this.#more === 0) return this.#list;
    return [...this.#list, { field: '', message: `and ${this.#more} more problems` }];
  }
}

/** A text from an array, with its path for a problem. */
export interface Item {
  readonly value: string;
  readonly path: string;
}

/**
 * Reads the fields of an untrusted JSON object by name. A value of another type than the API's becomes a problem with its whole
 * path. Absent and null are the same.
 */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #problems: Problems;
  readonly #parent: Fields | undefined;
  /** The path is only built for a problem. */
  #key = '';
  #index = -1;

  private constructor(
    values: Readonly<Record<string, unknown>>,
    problems: Problems,
    parent?: Fields,
  ) {
    this.#values = values;
    this.#problems = problems;
    this.#parent = parent;
  }

  /** The fields of a whole object. If it is no object, adds a problem and has no fields. */
  static of(value: unknown, problems: Problems): Fields {
    if (!isObject(value)) problems.add('', `is ${kindOf(value)}, not an object`);
    return new Fields(isObject(value) ? value : {}, problems);
  }

  /** The object's index in its array; -1 if it is in none. */
  get index(): number {
    return this.#index;
  }

  /** The full path of a field: `spec.ports[1].port`; without a name, of the object itself. */
  path(name = ''): string {
    const key = this.#index < 0 ? this.#key : `${this.#key}[${this.#index}]`;
    const own = this.#parent === undefined ? '' : this.#parent.path(key);
    return own === '' || name === '' ? own + name : `${own}.${name}`;
  }

  /** Adds a problem of a field. */
  problem(name: string, message: string): void {
    this.#problems.add(this.path(name), message);
  }

  /** Adds a problem at a path. */
  problemAt(path: string, message: string): void {
    this.#problems.add(path, message);
  }

  /** Whether the field is present and not null. */
  has(name: string): boolean {
    return this.#get(name) !== undefined;
  }

  /** A text; '' if absent. */
  string(name: string): string {
    const value = this.#get(name);
    if (value === undefined || typeof value === 'string') return value ?? '';
    this.problem(name, `is ${kindOf(value)}, not a string`);
    return '';
  }

  /** A time in milliseconds since 1970; `undefined` if it is absent or invalid. Protobuf has no text of it. */
  time(name: string): number | undefined {
    const value = this.#get(name);
    const isDate = value instanceof Date;
    if (isDate && !Number.isNaN(value.getTime())) return value.getTime();
    const text = isDate ? String(value) : this.string(name);
    if (text === '') return undefined;
    const time = parseTime(text);
    if (time === undefined) this.problem(name, `${quoted(text)} is not a time`);
    return time;
  }

  /** One of some words; the first if it is absent or another one. */
  word<Word extends string>(name: string, words: readonly [Word, ...Word[]]): Word {
    const value = this.string(name);
    const word = words.find((candidate) => candidate === value);
    if (word === undefined && value !== '')
      this.problem(name, `${quoted(value)} is none of ${words.join(', ')}`);
    return word ?? words[0];
  }

  /** A whole number within bounds; `undefined` if it is absent or invalid. */
  integer(name: string, { min, max }: { min: number; max: number }): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number') this.problem(name, `is ${kindOf(value)}, not a number`);
    else if (!Number.isInteger(value)) this.problem(name, `${value} is not a whole number`);
    else if (value < min || value > max)
      this.problem(name, `${value} is not between ${min} and ${max}`);
    else return value;
    return undefined;
  }

  /** A boolean; `absent` if it is absent or invalid. */
  boolean(name: string, { absent }: { absent: boolean }): boolean {
    const value = this.#get(name);
    if (typeof value === 'boolean') return value;
    if (value !== undefined) this.problem(name, `is ${kindOf(value)}, not a boolean`);
    return absent;
  }

  /** An object; `undefined` if it is absent or invalid. */
  object(name: string): Fields | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (isObject(value)) return this.#inside(value, name);
    this.problem(name, `is ${kindOf(value)}, not an object`);
    return undefined;
  }

  /** The objects of an array. Other elements become problems. */
  objects(name: string): Fields[] {
    const result: Fields[] = [];
    const values = this.#array(name);
    for (let index = 0; index < values.length; index++) {
      const value = values[index];
      if (!isObject(value)) {
        this.problem(`${name}[${index}]`, `is ${kindOf(value)}, not an object`);
        continue;
      }
      const fields = this.#inside(value, name);
      fields.#index = index;
      result.push(fields);
    }
    return result;
  }

  /** The texts of an array. Other elements become problems. */
  strings(name: string): Item[] {
    const result: Item[] = [];
    for (const [index, value] of this.#array(name).entries()) {
      const key = `${name}[${index}]`;
      if (typeof value === 'string') result.push({ value, path: this.path(key) });
      else this.problem(key, `is ${kindOf(value)}, not a string`);
    }
    return result;
  }

  /** The first text of an array; `undefined` if there is none. */
  firstString(name: string): string | undefined {
    const [first] = this.#array(name);
    if (typeof first === 'string') return first;
    if (first !== undefined) this.problem(`${name}[0]`, `is ${kindOf(first)}, not a string`);
    return undefined;
  }

  /** The names of all fields. */
  names(): string[] {
    return Object.keys(this.#values);
  }

  #inside(value: Readonly<Record<string, unknown>>, key: string): Fields {
    const fields = new Fields(value, this.#problems, this);
    fields.#key = key;
    return fields;
  }

  #array(name: string): readonly unknown[] {
    const value = this.#get(name);
    if (value === undefined || Array.isArray(value)) return value ?? [];
    this.problem(name, `is ${kindOf(value)}, not an array`);
    return [];
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? (this.#values[name] ?? undefined) : undefined;
  }
}

/** An untrusted text for a message: in quotes, and cut if it is long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** Whether a JSON value is an object with fields. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'string' ? `a string (${quoted(value)})` : `a ${typeof value}`;
}
