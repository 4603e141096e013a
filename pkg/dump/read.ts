import { readFile, stat } from 'node:fs/promises';
import { errorText } from '../log/error-text.ts';
import { dumpKind, dumpVersion, type NodeDump } from './dump.ts';
import { DumpError } from './dump-error.ts';
import { boolean, type Form, objectOf } from './form.ts';
import { configurationForm, logForm, metricsForm, unreadForm, versionsForm } from './head-forms.ts';
import { nodeForms } from './node-forms.ts';
import type { NodeParts } from './node-parts.ts';

/** How many bytes a dump may have that is opened. */
const sizeLimit = 256 * 1024 * 1024;

/** A dump that was opened. Its objects are read as those of a manifest are. */
export interface OpenedDump extends Omit<NodeDump, 'objects'> {
  /** The file that it is from. */
  readonly file: string;
  readonly hasObjects: boolean;
}

/** Opens a dump. Throws a DumpError that names the file and the field. */
export async function openDump(file: string): Promise<OpenedDump> {
  let text: string;
  try {
    const { size } = await stat(file);
    if (size > sizeLimit) throw new DumpError(`is larger than ${sizeLimit} bytes`);
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new DumpError(`${file}: ${errorText(cause)}`, { cause });
  }
  return parseDump(text, file);
}

/** Parses a dump, its shape checked. Throws a DumpError that names the file and the field. */
export function parseDump(text: string, file: string): OpenedDump {
  const top = objectOf(parsed(text, file), file);
  if (top['kind'] !== dumpKind)
    throw new DumpError(`${file}: is no dump of a node: its kind is not ${dumpKind}`);
  if (top['apiVersion'] !== dumpVersion)
    throw new DumpError(
      `${file}: apiVersion: only ${dumpVersion} is read, not ${JSON.stringify(top['apiVersion'])}`,
    );
  const read = <Value>(key: string, form: Form<Value>) => form.read(top[key], `${file}: ${key}`);
  const optional = <Value>(key: string, form: Form<Value>) =>
    Object.hasOwn(top, key) ? read(key, form) : undefined;
  return {
    file,
    nodeName: textOf(top['nodeName'], `${file}: nodeName`),
    taken: timeOf(top['taken'], `${file}: taken`),
    isAnonymous: read('isAnonymous', boolean),
    versions: read('versions', versionsForm),
    configuration: read('configuration', configurationForm),
    hasObjects: Object.hasOwn(top, 'objects'),
    node: readParts(top['node'], `${file}: node`),
    metrics: optional('metrics', metricsForm),
    log: optional('log', logForm),
    unread: read('unread', unreadForm),
  };
}

function parsed(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DumpError(`${file}: is no JSON: ${errorText(cause)}`, { cause });
  }
}

function readParts(json: unknown, place: string): Partial<NodeParts> {
  const object = objectOf(json, place);
  const forms = Object.entries(nodeForms) as [keyof NodeParts, Form<unknown>][];
  const read = forms
    .filter(([part]) => Object.hasOwn(object, part))
    .map(([part, form]) => [part, form.read(object[part], `${place}.${part}`)] as const);
  // Each part is what its form reads.
  return Object.fromEntries(read) as Partial<NodeParts>;
}

function textOf(json: unknown, place: string): string {
  if (typeof json !== 'string' || json === '' || json.length > 253)
    throw new DumpError(`${place}: must be a name`);
  return json;
}

function timeOf(json: unknown, place: string): number {
  const time = typeof json === 'string' ? Date.parse(json) : Number.NaN;
  if (Number.isNaN(time)) throw new DumpError(`${place}: must be a time`);
  return time;
}
