import type { Family } from '../ip/address.ts';

/** What names a table of nf_tables; those of other families (inet, bridge, arp, netdev) are never reported. */
export interface NftTableId {
  readonly family: Family;
  readonly name: string;
}

/** The tables of nf_tables in this network namespace, as `nft` shows them: those of iptables-nft are among them. */
export interface NftTables {
  /** Every table of both families; throws EOPNOTSUPP where the kernel has no nf_tables. */
  tables(): Promise<readonly NftTableId[]>;
  /** Deletes a table with all that is in it; throws ENOENT if there is none. */
  deleteTable(table: NftTableId): void;
}

/** `ip kube-proxy`, as `nft` writes it. */
export function printNftTable({ family, name }: NftTableId): string {
  return `${family === 'IPv4' ? 'ip' : 'ip6'} ${name}`;
}
