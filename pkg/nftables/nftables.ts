import type { Family } from '../ip/address.ts';

/** The name of a table. Tables of other families (inet, bridge, arp, netdev) are not listed. */
export interface NftTableId {
  readonly family: Family;
  readonly name: string;
}

/** The tables of nf_tables in this network namespace, those of iptables-nft included. */
export interface NftTables {
  /** Every table of both families. Throws EOPNOTSUPP if the kernel has no nf_tables. */
  tables(): Promise<readonly NftTableId[]>;
  /** The tables of the other families, as `nft` writes them: `inet firewalld`. Throws as {@link tables}. */
  otherTables(): Promise<readonly string[]>;
  /** Deletes a table with its contents. Throws ENOENT if there is none. */
  deleteTable(table: NftTableId): void;
}

/** `ip kube-proxy`, as `nft` writes it. */
export function printNftTable({ family, name }: NftTableId): string {
  return `${family === 'IPv4' ? 'ip' : 'ip6'} ${name}`;
}
