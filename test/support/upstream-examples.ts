import { readdirSync, readFileSync } from 'node:fs';
import { Reducer } from '../../pkg/kube/objects/reduce.ts';
import type { Change } from '../../pkg/kube/types.ts';

// The states that upstream's binary made, and the objects that it made them of (`test/fixtures/upstream`).

const folder = new URL('../fixtures/upstream/', import.meta.url);

/** The examples, each a step of a story: `e5-lifecycle.2`. */
export const upstreamExamples: readonly string[] = readdirSync(folder)
  .filter((name) => name.endsWith('.out.txt'))
  .map((name) => name.replace('.out.txt', ''))
  .sort();

/** The kernel's state after the step. */
export function stateOfExample(example: string): string {
  return readFileSync(new URL(`${example}.out.txt`, folder), 'utf8');
}

/** The objects that came with the step. */
export function objectsOfExample(example: string): { readonly kind: string }[] {
  const text = readFileSync(new URL(`${example}.in.json`, folder), 'utf8');
  return (JSON.parse(text) as { apply?: { kind: string }[] }).apply ?? [];
}

/** The same objects as a source reports them. */
export function changesOfExample(example: string): readonly Change[] {
  const reducer = new Reducer();
  return objectsOfExample(example).map((object) =>
    reducer.change(object.kind === 'Service' ? 'Service' : 'EndpointSlice', object),
  );
}
