import type { IpAddress } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';

/** What a name is of. Names of one kind that are equal stay equal when they are replaced. */
export type NameKind =
  | 'namespace'
  | 'service'
  | 'slice'
  | 'node'
  | 'zone'
  | 'port'
  | 'uid'
  | 'device'
  | 'set'
  | 'table'
  | 'chain'
  | 'comment'
  | 'host'
  | 'path'
  | 'hardware'
  /** A release of the kernel. */
  | 'release'
  /** A value of a rule that may name something. */
  | 'value';

/** What becomes of everything in a dump that names something. */
export interface Replace {
  address(address: IpAddress): IpAddress;
  network(network: Prefix): Prefix;
  name(kind: NameKind, name: string): string;
  /** A text of addresses and networks, which names nothing else. */
  addresses(text: string): string;
  /** A text for people, with any names and addresses in it. */
  text(text: string): string;
  /** A line as `iptables-save` prints it. */
  rule(line: string): string;
  /** A line in the text format of Prometheus. */
  metric(line: string): string;
}

/** Leaves everything as it is. */
export const asItIs: Replace = {
  address: (address) => address,
  network: (network) => network,
  name: (_kind, name) => name,
  addresses: (text) => text,
  text: (text) => text,
  rule: (line) => line,
  metric: (line) => line,
};
