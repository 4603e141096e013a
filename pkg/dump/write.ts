import { dumpKind, dumpVersion, type NodeDump } from './dump.ts';
import type { Form } from './form.ts';
import { configurationForm, logForm, metricsForm, unreadForm, versionsForm } from './head-forms.ts';
import { nodeForms } from './node-forms.ts';
import type { NodeParts } from './node-parts.ts';
import { objectLines } from './object-forms.ts';
import type { Replace } from './replace.ts';

/** How many characters are written at a time. */
const chunkSize = 65_536;

/** A dump as pieces of one JSON text: each object, set entry, flow and line of rules stands in a line of its own. */
export function* dumpText(dump: NodeDump, replace: Replace): Generator<string> {
  const { nodeName, taken, isAnonymous, objects, metrics, log } = dump;
  const head = {
    apiVersion: dumpVersion,
    kind: dumpKind,
    isAnonymous,
    taken: new Date(taken).toISOString(),
    nodeName: replace.name('node', nodeName),
  };
  yield JSON.stringify(head).slice(0, -1);
  yield* field('versions', versionsForm.pieces(dump.versions, replace));
  yield* field('configuration', configurationForm.pieces(dump.configuration, replace));
  yield* field('unread', unreadForm.pieces(dump.unread, replace));
  if (objects !== undefined) yield* field('objects', listed(objectLines(objects, replace)));
  yield* field('node', nodePieces(dump.node, replace));
  if (metrics !== undefined) yield* field('metrics', metricsForm.pieces(metrics, replace));
  if (log !== undefined) yield* field('log', logForm.pieces(log, replace));
  yield '}\n';
}

/** Joins pieces to texts of a size that is worth a write. */
export function* chunks(pieces: Iterable<string>): Generator<string> {
  let waiting: string[] = [];
  let size = 0;
  for (const piece of pieces) {
    waiting.push(piece);
    size += piece.length;
    if (size < chunkSize) continue;
    yield waiting.join('');
    waiting = [];
    size = 0;
  }
  if (waiting.length > 0) yield waiting.join('');
}

function* field(name: string, pieces: Iterable<string>): Generator<string> {
  yield `,\n${JSON.stringify(name)}:`;
  yield* pieces;
}

function* listed(elements: Iterable<string>): Generator<string> {
  let before = '[\n';
  for (const element of elements) {
    yield before;
    yield element;
    before = ',\n';
  }
  yield before === '[\n' ? '[]' : '\n]';
}

function* nodePieces(parts: Partial<NodeParts>, replace: Replace): Generator<string> {
  let before = '{\n';
  for (const [part, form] of Object.entries(nodeForms) as [keyof NodeParts, Form<unknown>][]) {
    // A part that could not be read is left out; one of which there is nothing may be `undefined`.
    if (!Object.hasOwn(parts, part)) continue;
    yield `${before}${JSON.stringify(part)}:`;
    yield* form.pieces(parts[part], replace);
    before = ',\n';
  }
  yield before === '{\n' ? '{}' : '}';
}
