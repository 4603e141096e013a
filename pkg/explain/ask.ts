import { errorText } from '../log/error-text.ts';
import { Yielder } from '../runner/yielder.ts';
import type { Packet } from '../trace/packet.ts';
import type { Pause } from '../trace/read-state.ts';
import { type DesiredState, desiredState } from './desired.ts';
import { explain } from './explain.ts';
import type { DesiredSettings } from './ledger.ts';
import type { NameSource } from './names.ts';
import type { NodeSources } from './node-sources.ts';
import type { NodeState } from './node-state.ts';
import type { Question } from './question.ts';
import { type NodeBasics, type ReadLimits, readBasics, readNode } from './read-node.ts';
import { type Report, reportOf } from './report.ts';
import { resolve } from './resolve.ts';

/** What a question is asked of. */
export interface AskOptions {
  readonly sources: NodeSources;
  /** Without it, names are not known, and nothing is compared with what should be there. */
  readonly names: NameSource | undefined;
  /** The settings of the proxy whose state is compared. */
  readonly settings: DesiredSettings;
  /** Returns milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Without them, everything is looked at. */
  readonly limits?: ReadLimits;
}

/**
 * Answers a question by reading the node; nothing is written. Throws an ExplainError if the question cannot be answered, and KernelError
 * if the node cannot be read. Objects that cannot be read are named in the report, unless a name needs them. Other work runs in between.
 */
export async function ask(question: Question, options: AskOptions): Promise<Report> {
  const { sources, names, now, limits } = options;
  const yielder = new Yielder(now);
  const pause = () => yielder.yieldIfDue();
  const basics = await readBasics(sources);
  await pause();
  const { packet, assumptions } = await resolve(question, { basics, names });
  const state = await readNode(sources, basics, { packet, pause, limits });
  const { desired, unread } = await readDesired(state, { ...options, basics, packet, pause });
  const known: NodeState = { ...state, unread: [...state.unread, ...unread] };
  await pause();
  const explanation = explain(known, { packet, desired });
  await pause();
  return reportOf(explanation, { assumptions });
}

async function readDesired(
  { kernel }: NodeState,
  {
    names,
    settings,
    basics,
    packet,
    pause,
  }: Pick<AskOptions, 'names' | 'settings'> & {
    readonly basics: NodeBasics;
    readonly packet: Packet;
    readonly pause: Pause;
  },
): Promise<{ readonly desired: DesiredState | undefined; readonly unread: readonly string[] }> {
  if (names === undefined) return { desired: undefined, unread: [] };
  try {
    const { nodeAddresses: addresses } = basics;
    const id = { ...packet, address: packet.destination };
    const desired = await desiredState(names, { settings, kernel, addresses, id, pause });
    return { desired, unread: [] };
  } catch (error) {
    const unread = `what should be there (${names.description}): ${errorText(error)}`;
    return { desired: undefined, unread: [unread] };
  }
}
