import type { Failure } from '../errno/errno.ts';
import type { IpAddress } from '../ip/address.ts';

/** One address on one interface. The same address may stand on two. */
export interface LinkAddress {
  readonly link: string;
  readonly address: IpAddress;
  readonly prefixLength: number;
}

/** One write: an address with its full prefix length (/32, /128) on a device; repeating either succeeds. */
export type AddressWrite = {
  readonly kind: 'bindAddress' | 'unbindAddress';
  readonly link: string;
  readonly address: IpAddress;
};

/** Network devices and their addresses in this network namespace. */
export interface Links {
  /** Makes the dummy device if it is missing; a device of that name and another kind is EEXIST. True if it was made. It stays down. */
  ensureDummy(name: string): boolean;
  /** Whether there is a device of that name, of whatever kind. */
  hasLink(name: string): boolean;
  /** Whether there is a dummy device of that name. */
  isDummy(name: string): boolean;
  /** ENODEV if there is none. */
  deleteLink(name: string): void;
  /** Every address of every device, of both families. */
  addresses(): Promise<readonly LinkAddress[]>;
  /** Tries every write and tells which failed; ENODEV without the device. */
  write(batch: readonly AddressWrite[]): readonly Failure[];
  /**
   * Calls back, at most once a turn of the event loop, after addresses of devices other than `except` changed, or when events
   * may have been lost; ends when the signal aborts. What changed is not told: read {@link addresses}.
   */
  watch(onChange: () => void, options: { except: string; signal: AbortSignal }): Promise<void>;
}

/** What was tried, for errors: `add address 172.30.0.1 to kube-ipvs0`. */
export function printAddressWrite({ kind, link, address }: AddressWrite): string {
  return kind === 'bindAddress'
    ? `add address ${address} to ${link}`
    : `delete address ${address} from ${link}`;
}
