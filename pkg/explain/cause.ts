import { printVirtualServer } from '../ipvs/ipvs.ts';
import type { Packet } from '../trace/packet.ts';
import type { Trace } from '../trace/result.ts';
import type { TracedVirtualServer } from '../trace/state.ts';
import type { DesiredState } from './desired.ts';
import type { Difference } from './differences.ts';
import type { EntryEffect } from './entries.ts';
import type { NodeState } from './node-state.ts';
import type { Way } from './ways.ts';

/** Kinds of causes, for programs. */
export type CauseKind =
  | 'address-elsewhere'
  | 'address-missing'
  | 'bridge-not-filtered'
  | 'chain-empty'
  | 'differs'
  | 'forwarding-off'
  | 'foreign-rule'
  | 'no-endpoint-ready'
  | 'no-local-endpoint'
  | 'no-masquerading'
  | 'no-real-server'
  | 'no-virtual-server'
  | 'not-understood'
  | 'only-draining'
  | 'port-not-served'
  | 'proxy-rule'
  | 'reverse-path-filter'
  | 'second-proxy'
  | 'set-entry-missing'
  | 'source-range'
  | 'stale-entry'
  | 'way-back';

/**
 * Which answers a client does not get because of a cause: none of them; those that the trace says anyway; those that come by a way on
 * which nobody puts the Service's address in; those of packets that belong to an existing entry; all.
 */
export type Cut = 'none' | 'traced' | 'direct' | 'existing' | 'all';

/** Why a packet fares as it does. */
export interface Cause {
  readonly kind: CauseKind;
  /** A part of a sentence: `no rule lets it through`. */
  readonly text: string;
  readonly cuts: Cut;
}

/** Everything that causes are looked for in. */
export interface Facts {
  readonly packet: Packet;
  readonly state: NodeState;
  readonly trace: Trace;
  /** The virtual server of the destination, if the kernel has it. */
  readonly virtualServer: TracedVirtualServer | undefined;
  /** The Service that the destination is of, if the objects are known. */
  readonly owner: string | undefined;
  readonly effects: readonly EntryEffect[];
  readonly ways: readonly Way[];
  /** What should be there; `undefined` if the objects are not known. */
  readonly desired:
    | {
        readonly state: DesiredState;
        readonly trace: Trace;
        readonly differences: readonly Difference[];
      }
    | undefined;
}

/** `172.30.0.1:80/TCP`. */
export function destinationOf({ destination: address, port, protocol }: Packet): string {
  return printVirtualServer({ address, port, protocol });
}
