import type { Profiler } from 'node:inspector';
import type { Frame, Profile, Sample } from './pprof.ts';

/** V8's names for what is no function: the bottom of each stack, and idle time. */
const bottom = '(root)';
const idle = '(idle)';

const count = (type: string) => ({ type, unit: 'count' });

/** Converts V8's CPU profile. Idle time is left out, as in Go's profiles. */
export function cpuProfile(
  { nodes, samples = [], timeDeltas = [], startTime, endTime }: Profiler.Profile,
  { interval, time }: { interval: number; time: number },
): Profile {
  const measured = new Map<number, { samples: number; microseconds: number }>();
  for (const [index, id] of samples.entries()) {
    const sum = measured.get(id) ?? { samples: 0, microseconds: 0 };
    sum.samples += 1;
    // V8 gives the time since the sample before; a clock that goes back counts as 0.
    sum.microseconds += Math.max(0, timeDeltas[index] ?? 0);
    measured.set(id, sum);
  }
  const parents = parentsOf(nodes);
  const found = nodes.flatMap((node): readonly Sample[] => {
    const sum = measured.get(node.id);
    if (sum === undefined || node.callFrame.functionName === idle) return [];
    const stack = stackOf(node, parents);
    return stack.length === 0 ? [] : [{ stack, values: [sum.samples, sum.microseconds * 1000] }];
  });
  const cpu = { type: 'cpu', unit: 'nanoseconds' };
  return {
    types: [count('samples'), cpu],
    samples: found,
    period: { type: cpu, value: interval * 1000 },
    time,
    duration: (endTime - startTime) / 1000,
  };
}

function parentsOf(nodes: readonly Profiler.ProfileNode[]): Map<number, Profiler.ProfileNode> {
  const parents = new Map<number, Profiler.ProfileNode>();
  for (const node of nodes) for (const child of node.children ?? []) parents.set(child, node);
  return parents;
}

function stackOf(
  node: Profiler.ProfileNode,
  parents: ReadonlyMap<number, Profiler.ProfileNode>,
): readonly Frame[] {
  const stack: Frame[] = [];
  let at: Profiler.ProfileNode | undefined = node;
  for (; at !== undefined; at = parents.get(at.id))
    if (at.callFrame.functionName !== bottom) stack.push(at.callFrame);
  return stack;
}

/** V8's answer. Node's types lack what newer protocols added. */
export interface SampledHeap {
  readonly head: SampledNode;
  readonly samples: readonly { readonly nodeId: number }[];
}

interface SampledNode {
  readonly callFrame: Frame;
  readonly selfSize: number;
  readonly id: number;
  readonly children: readonly SampledNode[];
}

/** Converts V8's samples of live memory, by the stack that allocated it. */
export function heapProfile(
  { head, samples }: SampledHeap,
  { interval, time }: { interval: number; time: number },
): Profile {
  const objects = new Map<number, number>();
  for (const { nodeId } of samples) objects.set(nodeId, (objects.get(nodeId) ?? 0) + 1);
  const found: Sample[] = [];
  const waiting: { node: SampledNode; below: readonly Frame[] }[] = [{ node: head, below: [] }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, below } = next;
    const stack = node.callFrame.functionName === bottom ? below : [node.callFrame, ...below];
    if (node.selfSize > 0 && stack.length > 0)
      found.push({ stack, values: [objects.get(node.id) ?? 0, node.selfSize] });
    for (const child of node.children) waiting.push({ node: child, below: stack });
  }
  const space = { type: 'space', unit: 'bytes' };
  return {
    types: [count('inuse_objects'), { type: 'inuse_space', unit: 'bytes' }],
    samples: found,
    period: { type: space, value: interval },
    time,
    duration: 0,
  };
}
