import { readdirSync, readFileSync } from 'node:fs';
import { nameOf, Reducer } from '../../pkg/kube/objects/reduce.ts';
import type { Change } from '../../pkg/kube/types.ts';

// The states that upstream's binary made, and the objects that it made them of (`test/fixtures/upstream`).

const folder = new URL('../fixtures/upstream/', import.meta.url);

/** The examples, each a step of a story: `e5-lifecycle.2`. */
export const upstreamExamples: readonly string[] = readdirSync(folder)
  .filter((name) => name.endsWith('.out.txt'))
  .map((name) => name.replace('.out.txt', ''))
  .sort();

/** The steps of each story, which are examples, by its name. */
export const upstreamStories = Map.groupBy(upstreamExamples, (name) => name.split('.')[0] ?? '');

/** The kernel's state after the step. */
export function stateOfExample(example: string): string {
  return readFileSync(new URL(`${example}.out.txt`, folder), 'utf8');
}

/** That state with what upstream's versions after the one that made it have more, and our own set. */
export function modernStateOfExample(example: string): string {
  return stateOfExample(example)
    .replaceAll(':KUBE-IPVS-FILTER -\n', ':KUBE-IPVS-FILTER -\n:KUBE-IPVS-OUT-FILTER -\n')
    .replaceAll(
      /(-A FORWARD .* -j KUBE-FORWARD\n)/g,
      '$1-A OUTPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-OUT-FILTER\n',
    )
    .replaceAll(
      /(-A KUBE-IPVS-FILTER -m set --match-set (KUBE-6-|KUBE-))EXTERNAL-IP dst,dst -j RETURN\n/g,
      '$&$1EXTERNAL-IP-LOCAL dst,dst -j RETURN\n',
    )
    .replaceAll(
      /^(KUBE-6-|KUBE-)LOAD-BALANCER (hash:ip,port family inet6? maxelem 65536)$/gm,
      '$1IPVS-NO-LOCAL $2\n$&',
    )
    .trim();
}

interface Raw {
  readonly kind: string;
}

function stepOf(example: string): { readonly apply?: Raw[]; readonly delete?: Raw[] } {
  return JSON.parse(readFileSync(new URL(`${example}.in.json`, folder), 'utf8')) as {
    apply?: Raw[];
    delete?: Raw[];
  };
}

function kindOf({ kind }: Raw): 'Service' | 'EndpointSlice' {
  return kind === 'Service' ? 'Service' : 'EndpointSlice';
}

/** The objects that came with the step. */
export function objectsOfExample(example: string): Raw[] {
  return stepOf(example).apply ?? [];
}

/** The same objects as a source reports them. The steps of a story share a reducer. */
export function changesOfExample(example: string, reducer = new Reducer()): readonly Change[] {
  return objectsOfExample(example).map((object) => reducer.change(kindOf(object), object));
}

/** The deletions of the objects that went with the step. */
export function deletionsOfExample(example: string): readonly Change[] {
  return (stepOf(example).delete ?? []).flatMap((object): readonly Change[] => {
    const name = nameOf(object);
    return name === undefined ? [] : [{ type: 'delete', kind: kindOf(object), name }];
  });
}
