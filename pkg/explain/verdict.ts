import { printHostPort } from '../ip/address.ts';
import type { Cause, Cut, Facts } from './cause.ts';
import { frontEndCauses } from './front-end-causes.ts';
import { outcomeOf, proxyCauses } from './proxy-causes.ts';
import { ruleCauses } from './rule-causes.ts';
import { stateCauses } from './state-causes.ts';
import type { Way } from './ways.ts';

/** The answer to a question. */
export interface Explained {
  /** Whether a client gets an answer from a Service: from every real server that may be chosen, from some, from none, or it is not known. */
  readonly answer: 'yes' | 'in part' | 'no' | 'unknown';
  /** One sentence with the answer and its causes. */
  readonly sentence: string;
  readonly causes: readonly Cause[];
}

/** How many causes the sentence names. */
const namedLimit = 3;

/** Judges the facts. */
export function explained(facts: Facts): Explained {
  const causes = [
    ...ruleCauses(facts),
    ...frontEndCauses(facts),
    ...stateCauses(facts),
    ...proxyCauses(facts),
  ].toSorted((one, other) => weights[other.cuts] - weights[one.cuts]);
  const answer = answerOf(facts, causes);
  return { answer, sentence: sentenceOf(facts, { answer, causes }), causes };
}

const weights: Readonly<Record<Cut, number>> = {
  all: 4,
  traced: 3,
  direct: 2,
  existing: 1,
  none: 0,
};

function answerOf(facts: Facts, causes: readonly Cause[]): Explained['answer'] {
  const { verdict } = facts.trace;
  const cuts = new Set(causes.map((cause) => cause.cuts));
  if (verdict.kind === 'unknown') return cuts.has('all') ? 'no' : 'unknown';
  if (verdict.kind !== 'balanced' || cuts.has('all')) return 'no';
  const { choices } = verdict.balancing;
  const answered = facts.ways.filter((way) => isAnswered(way, { cutsDirect: cuts.has('direct') }));
  if (answered.length === choices.length) return cuts.has('existing') ? 'in part' : 'yes';
  if (answered.length > 0) return 'in part';
  return choices.every(({ fate }) => fate === 'unknown') ? 'unknown' : 'no';
}

/** Whether the answer of a real server has the Service's address. */
function isAnswered({ back, choice }: Way, { cutsDirect }: { cutsDirect: boolean }): boolean {
  if (back === 'bridged' || (choice.isHairpin && back === 'direct')) return false;
  return back !== 'direct' || !cutsDirect;
}

const openings: Readonly<Record<Explained['answer'], string>> = {
  yes: 'Yes',
  'in part': 'In part',
  no: 'No',
  unknown: 'Not known',
};

function sentenceOf(
  facts: Facts,
  { answer, causes }: { answer: Explained['answer']; causes: readonly Cause[] },
): string {
  const named = causes.slice(0, namedLimit).map(({ text }) => text);
  const reasons =
    named.length === 0 ? '' : `${answer === 'yes' ? '; but' : ':'} ${named.join('; ')}`;
  return `${openings[answer]}: ${subjectOf(facts)} ${predicateOf(facts, answer)}${reasons}.`;
}

function subjectOf({ packet, owner }: Facts): string {
  const { protocol, source, destination, port } = packet;
  const service = owner === undefined ? '' : ` (${owner})`;
  return `${protocol} from ${source} to ${printHostPort(destination, port)}${service}`;
}

function predicateOf(facts: Facts, answer: Explained['answer']): string {
  const { verdict } = facts.trace;
  switch (verdict.kind) {
    case 'balanced': {
      const { choices } = verdict.balancing;
      if (answer === 'no' && facts.ways.length > 0) return 'gets no answer';
      if (facts.ways.length === 0) return fatesOf(choices.map(({ fate }) => fate));
      const count =
        choices.length === 1 ? 'its one real server' : `one of ${choices.length} real servers`;
      const some = facts.ways.length < choices.length ? ` (${facts.ways.length} of them)` : '';
      return `reaches ${count}${some}, ${seenBy(facts.ways)}`;
    }
    case 'refused':
      return 'is refused with an ICMP message';
    case 'dropped':
      return 'is dropped';
    case 'rejected':
      return 'is rejected';
    case 'forwarded':
      return facts.packet.origin.kind === 'node'
        ? 'leaves the node without IPVS'
        : 'is forwarded without IPVS';
    case 'node':
      return 'goes to the sockets of this node, not to a real server';
    case 'unknown':
      return 'meets something that cannot be judged';
  }
}

function fatesOf(fates: readonly string[]): string {
  const kinds = [...new Set(fates)].map((fate) => (fate === 'unknown' ? 'not known' : fate));
  return `is ${kinds.join(' or ')} on its way to the real server`;
}

/** Whom the real servers see. */
function seenBy(ways: readonly Way[]): string {
  const seen = new Set(
    ways.map(({ seenSource, back }) =>
      back === 'masqueraded' ? (seenSource ?? 'an address of this node') : (seenSource ?? ''),
    ),
  );
  return ways.length === 1
    ? `which sees ${[...seen].join()}`
    : `which see ${[...seen].join(' or ')}`;
}

/** Whether the packet would fare otherwise with what should be there; `undefined` where that is not known. */
export function faresAsItShould({ trace, desired }: Facts): boolean | undefined {
  return desired === undefined ? undefined : outcomeOf(trace) === outcomeOf(desired.trace);
}
