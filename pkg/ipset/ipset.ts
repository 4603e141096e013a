import type { Failure } from '../errno/errno.ts';
import type { Family, IpAddress } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import { printPrefix } from '../ip/prefix.ts';
import { type Protocol, protocolLabel } from '../ip/protocol.ts';

/** The hash types in use; entries are explained at {@link Entry}. */
export type HashType = 'hash:ip' | 'hash:ip,port' | 'hash:ip,port,ip' | 'hash:ip,port,net';

/** What a set is created with. */
export type SetHeader =
  | {
      readonly name: string;
      readonly type: HashType;
      readonly family: Family;
      readonly hashSize: number;
      readonly maxElements: number;
    }
  | { readonly name: string; readonly type: 'bitmap:port'; readonly firstPort: number; readonly lastPort: number };

/** A set as the kernel reports it. */
export interface SetStatus {
  readonly header: SetHeader;
  /** How many rules and sets refer to it. */
  readonly references: number;
  readonly entryCount: number;
}

/** One element. `ip,port` pairs carry the protocol, as ipset has it. */
export type Entry =
  | { readonly type: 'hash:ip'; readonly ip: IpAddress }
  | { readonly type: 'hash:ip,port'; readonly ip: IpAddress; readonly protocol: Protocol; readonly port: number }
  | {
      readonly type: 'hash:ip,port,ip';
      readonly ip: IpAddress;
      readonly protocol: Protocol;
      readonly port: number;
      readonly ip2: IpAddress;
    }
  | {
      readonly type: 'hash:ip,port,net';
      readonly ip: IpAddress;
      readonly protocol: Protocol;
      readonly port: number;
      readonly net: Prefix;
    }
  | { readonly type: 'bitmap:port'; readonly port: number };

/** One write; deleting what is absent and adding what is present succeed. */
export type EntryWrite = { readonly kind: 'addEntry' | 'deleteEntry'; readonly set: string; readonly entry: Entry };

/** The kernel's IP sets in this network namespace. */
export interface IpSets {
  /** IPSET_CMD_PROTOCOL: the highest protocol version the kernel speaks. Throws where ipset is missing. */
  protocol(): number;
  /** Makes the set, or finds one with the same type, family and sizes but hashSize; EEXIST if it differs otherwise. */
  create(header: SetHeader): void;
  /** EBUSY while rules refer to it; ENOENT if there is none. */
  destroy(name: string): void;
  /** Tries every write, order kept within a set; the failed ones by index. */
  write(batch: readonly EntryWrite[]): readonly Failure[];
  /** Every set of a type known here, ours or not; sets of other types are left out. */
  sets(): Promise<readonly SetStatus[]>;
  /** The entries of a set; throws ENOENT if there is none. */
  entries(name: string): Promise<readonly Entry[]>;
}

/** A map key for an entry inside its set: how `ipset save` prints it, which is one text for each element. */
export function entryKey(entry: Entry): string {
  switch (entry.type) {
    case 'hash:ip':
      return entry.ip;
    case 'hash:ip,port':
      return `${entry.ip},${protocolLabel(entry.protocol)}:${entry.port}`;
    case 'hash:ip,port,ip':
      return `${entry.ip},${protocolLabel(entry.protocol)}:${entry.port},${entry.ip2}`;
    case 'hash:ip,port,net':
      return `${entry.ip},${protocolLabel(entry.protocol)}:${entry.port},${printNet(entry.net)}`;
    case 'bitmap:port':
      return String(entry.port);
  }
}

/** ipset leaves the length of a single-address network away. */
function printNet(net: Prefix): string {
  const isWhole = net.length === (net.address.includes(':') ? 128 : 32);
  return isWhole ? net.address : printPrefix(net);
}
