import type { IpvsConnection } from '../connections/connections.ts';
import type { Flow } from '../conntrack/conntrack.ts';
import type { IpAddress } from '../ip/address.ts';
import type { KernelState } from '../trace/state.ts';

/** The route of the node's packets to an address, its device by name. */
export type KnownRoute =
  | { readonly kind: 'local' | 'none' }
  | {
      readonly kind: 'device';
      /** `undefined` for a route over several devices. */
      readonly device: string | undefined;
      readonly gateway: IpAddress | undefined;
      readonly source: IpAddress | undefined;
    };

/** Stands for the device of an address that the node has by a local route alone. */
export const localRoute = 'a local route';

/** Entries that the kernel keeps of earlier packets between the same ends. */
export interface Entries {
  readonly flows: readonly Flow[];
  readonly connections: readonly IpvsConnection[];
}

/** The state of a node about one packet, as values. */
export interface NodeState {
  readonly kernel: KernelState;
  /** Whether the kernel has IPVS loaded. */
  readonly hasIpvs: boolean;
  /** The routes to all addresses that the packet may have. */
  readonly routes: ReadonlyMap<IpAddress, KnownRoute>;
  /** The devices that are bridges, and whether `br_netfilter` shows their packets to iptables. */
  readonly bridges: ReadonlyMap<string, { readonly isFiltered: boolean }>;
  /** Kernel settings by their path below /proc/sys. Those that the kernel does not have are missing. */
  readonly settings: ReadonlyMap<string, string>;
  readonly entries: Entries;
  /** Tables of nf_tables that are not iptables', as `nft` writes them. */
  readonly otherTables: readonly string[];
  /** What could not be read, and why. */
  readonly unread: readonly string[];
}
