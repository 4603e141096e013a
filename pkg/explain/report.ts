import { type IpAddress, printHostPort } from '../ip/address.ts';
import { printVirtualServer } from '../ipvs/ipvs.ts';
import type { Choice, Step } from '../trace/result.ts';
import type { EntryEffect } from './entries.ts';
import type { Explanation } from './explain.ts';
import { faresAsItShould } from './verdict.ts';
import type { WayBack } from './ways.ts';

/** The version of {@link Report}: it grows when a field changes its meaning or goes. */
const reportVersion = 1;

/** A step as data: exactly one of its last five fields is set. */
export interface ReportedStep {
  readonly hook?: string;
  readonly table?: string;
  readonly chain?: string;
  /** The rule's text. */
  readonly rule?: string;
  readonly policy?: 'DROP';
  readonly route?: string;
  readonly virtualServer?: string;
  /** What is not understood. */
  readonly unknown?: string;
}

/** A real server that may be chosen. */
export interface ReportedRealServer {
  readonly address: IpAddress;
  readonly port: number;
  readonly weight: number;
  readonly fate: Choice['fate'];
  readonly isOnNode: boolean;
  readonly isClient: boolean;
  /** The rule that masquerades the client; `null` if it sees the client's own address. */
  readonly masqueradedBy: string | null;
  /** The source that it sees; `null` if the packet does not reach it, or it is one of the node's. */
  readonly sees: string | null;
  readonly wayBack: WayBack | null;
  readonly steps: readonly ReportedStep[];
}

/** An explanation for programs: what `-o json` prints. */
export interface Report {
  readonly version: number;
  readonly answer: Explanation['answer'];
  readonly verdict: string;
  readonly causes: readonly { readonly kind: string; readonly text: string }[];
  readonly packet: {
    readonly protocol: string;
    readonly source: IpAddress;
    readonly sourcePort: number | null;
    readonly destination: IpAddress;
    readonly port: number;
    /** The device that it comes in by; `null` for one of the node itself. */
    readonly device: string | null;
  };
  /** `namespace/name`; `null` if it is not known. */
  readonly service: string | null;
  readonly assumptions: readonly string[];
  readonly steps: readonly ReportedStep[];
  readonly balancing: ReportedBalancing | null;
  readonly entries: readonly ReportedEntry[];
  /** `null` without the objects of the API. */
  readonly differences: {
    readonly isFaringAsItShould: boolean;
    readonly list: readonly {
      readonly kind: string;
      readonly what: string;
      readonly text: string;
    }[];
  } | null;
  /** What was not looked at or is not understood, and may decide otherwise. */
  readonly notUnderstood: readonly string[];
  /** What the running proxy of the node says about the destination; `null` if none was asked, or none of ours answers. */
  readonly proxy: readonly string[] | null;
}

/** What the scheduler chooses from. */
export interface ReportedBalancing {
  readonly virtualServer: string;
  readonly scheduler: string;
  readonly affinitySeconds: number;
  readonly mayRefuse: string | null;
  readonly realServers: readonly ReportedRealServer[];
  /** Of weight 0. */
  readonly draining: readonly string[];
}

/** An entry of an earlier packet between the same ends. */
export interface ReportedEntry {
  readonly kind: EntryEffect['kind'];
  readonly sourcePort: number;
  /** `null` if it is not translated. */
  readonly target: string | null;
  readonly state: string;
  readonly stale: string | null;
}

/** An explanation as data. `assumptions` are those that the question was resolved with. */
export function reportOf(
  explanation: Explanation,
  { assumptions }: { readonly assumptions: readonly string[] },
): Report {
  const { packet, answer, sentence, causes, trace, effects, desired, owner } = explanation;
  const { protocol, source, sourcePort = null, destination, port, origin } = packet;
  const device = origin.kind === 'device' ? origin.name : null;
  return {
    version: reportVersion,
    answer,
    verdict: sentence,
    causes: causes.map(({ kind, text }) => ({ kind, text })),
    packet: { protocol, source, sourcePort, destination, port, device },
    service: owner ?? null,
    assumptions,
    steps: trace.steps.map(reportedStep),
    balancing: balancingOf(explanation),
    entries: effects.map(reportedEntry),
    differences:
      desired === undefined
        ? null
        : {
            isFaringAsItShould: faresAsItShould(explanation) === true,
            list: desired.differences.map(({ kind, what, text }) => ({ kind, what, text })),
          },
    notUnderstood: notUnderstood(explanation),
    proxy: null,
  };
}

function balancingOf(explanation: Explanation): ReportedBalancing | null {
  const { verdict } = explanation.trace;
  if (verdict.kind !== 'balanced' && verdict.kind !== 'refused') return null;
  const { virtualServer, choices, draining, affinitySeconds, mayRefuse = null } = verdict.balancing;
  return {
    virtualServer: printVirtualServer(virtualServer),
    scheduler: virtualServer.scheduler,
    affinitySeconds,
    mayRefuse,
    realServers: choices.map((choice) => reportedRealServer(choice, explanation)),
    draining: draining.map(({ address, port }) => printHostPort(address, port)),
  };
}

function reportedRealServer(choice: Choice, { ways }: Explanation): ReportedRealServer {
  const { realServer, fate, isOnNode, isHairpin, masqueradedBy, steps } = choice;
  const { address, port, weight } = realServer;
  const way = ways.find((one) => one.choice === choice);
  return {
    address,
    port,
    weight,
    fate,
    isOnNode,
    isClient: isHairpin,
    masqueradedBy: masqueradedBy?.text ?? null,
    sees: way?.seenSource ?? null,
    wayBack: way?.back ?? null,
    steps: steps.map(reportedStep),
  };
}

function reportedStep(step: Step): ReportedStep {
  switch (step.kind) {
    case 'rule':
      return { ...step.place, rule: step.rule.text };
    case 'policy':
      return { ...step.place, policy: 'DROP' };
    case 'unknown':
      return { ...step.place, unknown: step.reason };
    case 'route': {
      const { destination, link } = step;
      const where = link === undefined ? 'no address of this node' : `an address of ${link}`;
      return { route: `${destination} is ${where}` };
    }
    case 'ipvs': {
      const { hook, virtualServer } = step;
      const name = `${printVirtualServer(virtualServer)} ${virtualServer.scheduler}`;
      return { hook, table: 'ipvs', virtualServer: name };
    }
  }
}

function reportedEntry({ kind, sourcePort, target, state, stale }: EntryEffect): ReportedEntry {
  return {
    kind,
    sourcePort,
    target: target === undefined ? null : printHostPort(target.address, target.port),
    state,
    stale: stale ?? null,
  };
}

function notUnderstood({ state }: Explanation): readonly string[] {
  return [...state.otherTables.map((name) => `the rules of ${name} (nf_tables)`), ...state.unread];
}
