import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** One field of a class that client-node makes from the OpenAPI description of Kubernetes. */
interface Attribute {
  /** As the API has it. */
  readonly baseName: string;
  /** `string`, `V1Container`, `Array<string>`, `{ [key: string]: string; }`. */
  readonly type: string;
}

/** client-node has a file for each class: the fields as a table, and beside it the declaration, which shows what is required. */
const models = new URL(
  '../../../node_modules/@kubernetes/client-node/dist/gen/models/',
  import.meta.url,
);

/**
 * What the API of Kubernetes would not take of an object: fields that are not known, of another type, or missing: `spec.template:
 * missing`. `undefined` for a kind that is not one of Kubernetes' own. The schemas are those of the pinned client-node.
 */
export async function schemaProblems(
  object: Readonly<Record<string, unknown>>,
): Promise<readonly string[] | undefined> {
  const version = String(object['apiVersion']).split('/').at(-1) ?? '';
  const type = `${version.slice(0, 1).toUpperCase()}${version.slice(1)}${String(object['kind'])}`;
  if (!existsSync(new URL(`${type}.js`, models))) return undefined;
  return problemsOf(object, { type, path: '' });
}

interface Place {
  readonly type: string;
  readonly path: string;
}

async function problemsOf(value: unknown, { type, path }: Place): Promise<readonly string[]> {
  const wrong = [`${path}: no ${type}`];
  const [, item] = /^Array<(.*)>$/.exec(type) ?? [];
  if (item !== undefined) {
    if (!Array.isArray(value)) return wrong;
    return each(value.map((one, at) => [one, { type: item, path: `${path}[${at}]` }]));
  }
  const [, valueType] = /^\{ \[key: string\]: (.*); \}$/.exec(type) ?? [];
  if (valueType !== undefined) {
    if (!isRecord(value)) return wrong;
    const entries = Object.entries(value);
    return each(entries.map(([key, one]) => [one, { type: valueType, path: `${path}.${key}` }]));
  }
  if (type in scalars) return scalars[type]?.(value) === true ? [] : wrong;
  return isRecord(value) ? fieldProblems(value, { type, path }) : wrong;
}

const scalars: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  IntOrString: (value) => typeof value === 'string' || Number.isInteger(value),
  Date: (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value)),
  any: () => true,
};

async function fieldProblems(
  value: Readonly<Record<string, unknown>>,
  { type, path }: Place,
): Promise<readonly string[]> {
  const at = (name: string) => (path === '' ? name : `${path}.${name}`);
  const attributes = await attributesOf(type);
  const types = new Map(attributes.map((attribute) => [attribute.baseName, attribute.type]));
  const missing = requiredOf(type).filter((name) => value[name] === undefined);
  const given = Object.entries(value).filter(([, one]) => one !== undefined && one !== null);
  const unknown = given.filter(([name]) => !types.has(name));
  const known = given.flatMap(([name, one]): [unknown, Place][] => {
    const fieldType = types.get(name);
    return fieldType === undefined ? [] : [[one, { type: fieldType, path: at(name) }]];
  });
  return [
    ...missing.map((name) => `${at(name)}: missing`),
    ...unknown.map(([name]) => `${at(name)}: not known`),
    ...(await each(known)),
  ];
}

async function each(values: readonly (readonly [unknown, Place])[]): Promise<readonly string[]> {
  return (await Promise.all(values.map(([value, place]) => problemsOf(value, place)))).flat();
}

async function attributesOf(type: string): Promise<readonly Attribute[]> {
  const module = (await import(new URL(`${type}.js`, models).href)) as Readonly<
    Record<string, { getAttributeTypeMap(): readonly Attribute[] }>
  >;
  const attributes = module[type]?.getAttributeTypeMap();
  if (attributes === undefined) throw new Error(`client-node has no fields of ${type}`);
  return attributes;
}

/** What the declaration of a class has without a question mark. */
function requiredOf(type: string): readonly string[] {
  const text = readFileSync(fileURLToPath(new URL(`${type}.d.ts`, models)), 'utf8');
  return [...text.matchAll(/^ +'(\w+)': /gm)].map(([, name = '']) => name);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
