import { KernelError } from '../errno/errno.ts';
import type { Family, IpAddress } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import type { Protocol } from '../ip/protocol.ts';

/** The iptables tables in use. */
export type Table = 'nat' | 'filter';

/** Which address of a packet a dimension of a set is compared with. */
export type SetDirection = 'src' | 'dst';

/** One condition of a rule, in iptables' terms. */
export type Match =
  | { readonly match: 'comment'; readonly text: string }
  | { readonly match: 'protocol'; readonly protocol: Protocol }
  | { readonly match: 'source'; readonly network: Prefix; readonly not?: true }
  | { readonly match: 'destination'; readonly network: Prefix; readonly not?: true }
  /** A name that ends in `+` matches every interface that begins with the rest. */
  | { readonly match: 'inputInterface'; readonly name: string; readonly not?: true }
  | { readonly match: 'set'; readonly set: string; readonly directions: readonly SetDirection[] }
  | { readonly match: 'mark'; readonly value: number; readonly mask: number; readonly not?: true }
  | {
      readonly match: 'connectionState';
      readonly states: readonly ('NEW' | 'RELATED' | 'ESTABLISHED' | 'INVALID' | 'UNTRACKED')[];
    }
  | { readonly match: 'sourceType'; readonly type: 'LOCAL'; readonly not?: true }
  | { readonly match: 'destinationType'; readonly type: 'LOCAL'; readonly not?: true }
  | { readonly match: 'physicalInput'; readonly not?: true }
  | {
      readonly match: 'ipvs';
      readonly address: IpAddress;
      readonly protocol: Protocol;
      readonly port: number;
      readonly direction?: 'ORIGINAL';
    };

/** What a rule does. */
export type Target =
  | { readonly target: 'jump'; readonly chain: string }
  | { readonly target: 'RETURN' | 'ACCEPT' | 'DROP' | 'REJECT' }
  | { readonly target: 'MASQUERADE'; readonly randomFully: boolean }
  /** `or` sets the bits, `xor` flips them. */
  | { readonly target: 'MARK'; readonly operation: 'or' | 'xor'; readonly value: number };

/** One rule of one of our chains. Matches are printed in this order. */
export interface Rule {
  readonly matches: readonly Match[];
  readonly target: Target;
}

/** One of our chains with all its rules. */
export interface Chain {
  readonly table: Table;
  readonly name: string;
  readonly rules: readonly Rule[];
}

/** A rule of a built-in chain that jumps to one of ours. It is inserted at the beginning if it is missing, and never moved. */
export interface Jump {
  readonly table: Table;
  readonly from: 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING';
  readonly comment: string;
  readonly to: string;
}

/** All rules that we want in one family's tables. */
export interface Ruleset {
  readonly chains: readonly Chain[];
  /** In the order of insertion at the beginning: of two missing ones the later comes first. */
  readonly jumps: readonly Jump[];
}

/** What the iptables in use can do. */
export interface FirewallCapabilities {
  /** Whether MASQUERADE supports `--random-fully`. */
  readonly randomFully: boolean;
  /** Which of the kernel's two packet filters the rules are written to. */
  readonly flavour: RulePlace['flavour'];
  /** For messages: `iptables v1.8.9 (nf_tables)`. */
  readonly description: string;
}

/**
 * Another program holds the lock of iptables (`/run/xtables.lock`). Some tables may be written. The call may be repeated later. It
 * does not count as a failure of the rules.
 */
export class LockHeldError extends KernelError {
  constructor(operation: string, detail: string) {
    super(operation, 'EAGAIN', { detail });
    this.name = 'LockHeldError';
  }
}

/** Whether another program holds the lock of iptables. */
export function isLockHeld(error: unknown): boolean {
  return error instanceof LockHeldError;
}

/**
 * iptables of this network namespace. Calls for one family run one after the other, in order. The child process waits for the lock
 * of iptables, one second at most; then {@link LockHeldError} is thrown.
 */
export interface Firewall {
  /** Found out once and kept. Throws ENOENT if the family has no iptables. */
  capabilities(family: Family): Promise<FirewallCapabilities>;
  /** Sets the rules of our chains in one transaction, then inserts missing jumps. Chains of other programs are not changed. */
  apply(family: Family, ruleset: Ruleset): Promise<void>;
  /**
   * Whether chains and jumps are as the last {@link apply} of this family left them; `unknown` before the first one. Cheap, as it
   * reads the kernel's generation number first, if there is one.
   */
  check(family: Family, ruleset: Ruleset): Promise<'same' | 'different' | 'unknown'>;
  /** Removes the jumps, then empties and deletes the chains. What is missing is no error. */
  remove(family: Family, ruleset: Ruleset): Promise<void>;
}

/** A place of rules: the tables of one family in one of the kernel's two packet filters, both of which can hold rules. */
export interface RulePlace {
  readonly family: Family;
  readonly flavour: 'nft' | 'legacy';
}

/** The content of one place, as `iptables-save` printed it; `parseChains` parses it. */
export interface PrintedRules extends RulePlace {
  readonly text: string;
}

/** What is removed from one table. */
export interface RuleRemoval {
  readonly table: string;
  /** Single rules as they were printed, each from `-A` on. */
  readonly rules: readonly string[];
  /** Chains to empty. */
  readonly emptied: readonly string[];
  /** Chains to delete. They must be among the emptied ones, and no other rule may refer to them. */
  readonly deleted: readonly string[];
}

/** The rules of all programs in this network namespace, for clean-ups. */
export interface RuleTables {
  /** The content of every place that this machine has programs for; none for places that were never used. Throws if one cannot be read. */
  read(): Promise<readonly PrintedRules[]>;
  /** Removes rules and chains of all tables in one call. Waits for the lock of iptables. Throws if a rule or chain does not exist. */
  remove(place: RulePlace, removals: readonly RuleRemoval[]): Promise<void>;
}
