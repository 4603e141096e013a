import { YamlError, yamlDocuments } from '../yaml/yaml.ts';
import { typeMeta } from './document.ts';
import { type AnyField, fields, isFileField, type Settings } from './fields.ts';
import type { Violation } from './validate.ts';
import { isObject } from './value-types.ts';

/** How many characters a file may have: a ConfigMap has a megabyte at most. */
const longestFile = 1024 * 1024;
/** How many characters of a value an error shows. */
const shownValue = 80;

/** The content of a file, and what is wrong with it. */
export interface FileContent {
  /** The values of the fields that are set. */
  readonly values: Partial<Settings>;
  /** Fields of another type. They count as not set. */
  readonly violations: readonly Violation[];
  /** Unknown paths. They are ignored, as by upstream's lenient decoding. */
  readonly unknown: readonly string[];
  /** Paths that are set more than once. The last value counts. */
  readonly repeated: readonly string[];
}

/** A file that is no `KubeProxyConfiguration`. The message is one sentence. */
export class ConfigFileError extends Error {}

/** The fields by the keys of their paths. */
type Tree = Map<string, AnyField | Tree>;
const tree: Tree = new Map();
for (const row of fields.filter(isFileField)) {
  const keys = row.path.split('.');
  const last = keys.pop() ?? '';
  keys.reduce(branch, tree).set(last, row);
}

function branch(parent: Tree, key: string): Tree {
  const found = parent.get(key);
  if (found instanceof Map) return found;
  const made: Tree = new Map();
  parent.set(key, made);
  return made;
}

/** Reads a file in YAML or JSON. Throws ConfigFileError if it is no `KubeProxyConfiguration`. */
export function readConfigFile(text: string): FileContent {
  const repeated: string[] = [];
  const object = parse(text, (path) => repeated.push(path));
  if (!isObject(object)) throw new ConfigFileError('is no object');
  const { apiVersion, kind, ...rest } = object;
  if (apiVersion !== typeMeta.apiVersion || kind !== typeMeta.kind)
    throw new ConfigFileError(
      `apiVersion and kind must be ${typeMeta.apiVersion} and ${typeMeta.kind}, not ${shown(apiVersion)} and ${shown(kind)}`,
    );
  const reader = new Reader();
  reader.readBlock(rest, { tree, path: '' });
  // Each value was decoded by the field's own type.
  const values = Object.fromEntries(reader.values) as Partial<Settings>;
  return { values, violations: reader.violations, unknown: reader.unknown, repeated };
}

function parse(text: string, onDuplicate: (path: string) => void): unknown {
  if (text.length > longestFile)
    throw new ConfigFileError(`is longer than ${longestFile} characters`);
  const isJson = /^\s*\{/.test(text);
  try {
    const [first] = yamlDocuments(text, { onDuplicate });
    return first;
  } catch (error) {
    // YAML refuses some JSON, for example with tabs at the beginning of a line.
    if (isJson) return parseJson(text);
    if (!(error instanceof YamlError)) throw error;
    const where = error.position === undefined ? '' : ` at line ${error.position.line}`;
    throw new ConfigFileError(`is no YAML${where}: ${error.code}`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ConfigFileError('is no JSON', { cause });
  }
}

/** Collects the values and problems of an object. */
class Reader {
  readonly values: [string, unknown][] = [];
  readonly violations: Violation[] = [];
  readonly unknown: string[] = [];

  readBlock(
    object: Readonly<Record<string, unknown>>,
    { tree: block, path: parent }: { tree: Tree; path: string },
  ): void {
    for (const [key, value] of Object.entries(object)) {
      const path = parent === '' ? key : `${parent}.${key}`;
      const found = block.get(key);
      if (found === undefined) this.unknown.push(path);
      else if (value === null || value === undefined) continue;
      else if (!(found instanceof Map)) this.#readField(found, value);
      else if (isObject(value)) this.readBlock(value, { tree: found, path });
      else this.#refuse(path, { value, wanted: 'an object' });
    }
  }

  #readField({ path, type, zeroIsDefault }: AnyField, written: unknown): void {
    const value = type.decode(written);
    if (value === undefined) this.#refuse(path, { value: written, wanted: type.wanted });
    else if (zeroIsDefault !== true || value !== type.zero) this.values.push([path, value]);
  }

  #refuse(field: string, { value, wanted }: { value: unknown; wanted: string }): void {
    this.violations.push({ field, value: shown(value), message: `must be ${wanted}` });
  }
}

/** A value of any type in an error, in bounded length. */
function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  return text.length > shownValue ? `${text.slice(0, shownValue)}…` : text;
}
