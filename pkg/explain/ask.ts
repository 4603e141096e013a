import { errorText } from '../log/error-text.ts';
import { type DesiredSettings, type DesiredState, desiredState } from './desired.ts';
import { explain } from './explain.ts';
import type { NameSource } from './names.ts';
import type { NodeSources } from './node-sources.ts';
import type { NodeState } from './node-state.ts';
import type { Question } from './question.ts';
import { readBasics, readNode } from './read-node.ts';
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
}

/**
 * Answers a question by reading the node; nothing is written. Throws an ExplainError if the question cannot be answered, and KernelError
 * if the node cannot be read. Objects that cannot be read are named in the report, unless a name needs them.
 */
export async function ask(question: Question, options: AskOptions): Promise<Report> {
  const { sources, names } = options;
  const basics = await readBasics(sources);
  const { packet, assumptions } = await resolve(question, { basics, names });
  const state = await readNode(sources, basics, packet);
  const { desired, unread } = await readDesired(state, options);
  const known: NodeState = { ...state, unread: [...state.unread, ...unread] };
  return reportOf(explain(known, { packet, desired }), { assumptions });
}

async function readDesired(
  { kernel }: NodeState,
  { names, settings, now }: AskOptions,
): Promise<{ readonly desired: DesiredState | undefined; readonly unread: readonly string[] }> {
  if (names === undefined) return { desired: undefined, unread: [] };
  try {
    const objects = await names.objects();
    return { desired: await desiredState(objects, { settings, kernel, now }), unread: [] };
  } catch (error) {
    const unread = `what should be there (${names.description}): ${errorText(error)}`;
    return { desired: undefined, unread: [unread] };
  }
}
