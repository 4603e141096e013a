import { KernelError } from '../errno/errno.ts';
import type { Family, IpAddress } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import type { Protocol } from '../ip/protocol.ts';

/** The iptables tables in use. */
export type Table = 'nat' | 'filter';

/** Which part of a packet each dimension of a set is matched with. */
export type SetDirection = 'src' | 'dst';

/** One condition of a rule, in iptables' words. */
export type Match =
  | { readonly match: 'comment'; readonly text: string }
  | { readonly match: 'protocol'; readonly protocol: Protocol }
  | { readonly match: 'source'; readonly network: Prefix; readonly not?: true }
  | { readonly match: 'destination'; readonly network: Prefix; readonly not?: true }
  /** A name that ends in `+` matches every interface that begins so. */
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

/** One rule of one of our chains. Matches are rendered in this order. */
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

/** A rule in a built-in chain that leads into one of ours. Inserted first if it is missing, and never moved. */
export interface Jump {
  readonly table: Table;
  readonly from: 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING';
  readonly comment: string;
  readonly to: string;
}

/** Everything we want in one family's tables. */
export interface Ruleset {
  readonly chains: readonly Chain[];
  /** In the order in which they are inserted: of two missing ones the later stands first. */
  readonly jumps: readonly Jump[];
}

/** What the iptables in use can do. */
export interface FirewallCapabilities {
  /** Whether MASQUERADE may be asked for `randomFully`. */
  readonly randomFully: boolean;
  /** For people: `iptables v1.8.9 (nf_tables)`. */
  readonly description: string;
}

/**
 * Another program holds the lock of iptables (`/run/xtables.lock`). Tables may be written in part; the same call may be
 * repeated later. Not counted among the errors of rules: nothing is wrong with them.
 */
export class LockHeldError extends KernelError {
  constructor(operation: string, detail: string) {
    super(operation, 'EAGAIN', { detail });
    this.name = 'LockHeldError';
  }
}

/** Another program holds the lock of iptables: try again later. */
export function isLockHeld(error: unknown): boolean {
  return error instanceof LockHeldError;
}

/**
 * iptables of this network namespace. Calls for one family are carried out one after another, in the order in which they
 * were made. The lock of iptables is waited for by the child process, a second at most: after it {@link LockHeldError}.
 */
export interface Firewall {
  /** Looked up once and kept; ENOENT if there is no iptables for the family. */
  capabilities(family: Family): Promise<FirewallCapabilities>;
  /** Makes our chains hold exactly these rules, in one transaction, then inserts the missing jumps. Chains of others are not touched. */
  apply(family: Family, ruleset: Ruleset): Promise<void>;
  /**
   * Whether chains and jumps are as the last {@link apply} of this family left them: `unknown` before the first one.
   * Cheap: asks the kernel's generation number first where there is one.
   */
  check(family: Family, ruleset: Ruleset): Promise<'same' | 'different' | 'unknown'>;
  /** Removes the jumps, then empties and deletes the chains; what is missing is no error. */
  remove(family: Family, ruleset: Ruleset): Promise<void>;
}

/** Where rules stand: the tables of one family in one of the kernel's two packet filters, each of which can hold rules at once. */
export interface RulePlace {
  readonly family: Family;
  readonly flavour: 'nft' | 'legacy';
}

/** Everything that stands in one place, as `iptables-save` printed it; `parseChains` reads it. */
export interface PrintedRules extends RulePlace {
  readonly text: string;
}

/** What is taken out of one table. */
export interface RuleRemoval {
  readonly table: string;
  /** Single rules, each from `-A` on as it was printed. */
  readonly rules: readonly string[];
  /** Chains that are emptied. */
  readonly emptied: readonly string[];
  /** Chains that are deleted; they must be among those that are emptied, and no other rule may refer to them. */
  readonly deleted: readonly string[];
}

/** The rules of everybody in this network namespace, for whoever cleans up after another program. */
export interface RuleTables {
  /** What stands in every place that this machine has programs for; nothing of those that were never used. Throws if one cannot be read. */
  read(): Promise<readonly PrintedRules[]>;
  /** Takes rules and chains out, all tables in one call. Waits for the lock of iptables; a rule or chain that is not there is an error. */
  remove(place: RulePlace, removals: readonly RuleRemoval[]): Promise<void>;
}
