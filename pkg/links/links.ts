import type { Failure } from '../errno/errno.ts';
import type { IpAddress } from '../ip/address.ts';

/** One address on one interface. Two interfaces may have the same address. */
export interface LinkAddress {
  readonly link: string;
  readonly address: IpAddress;
  readonly prefixLength: number;
}

/** One write: an address with its full prefix length (/32, /128) on a device. Either write may be repeated. */
export type AddressWrite = {
  readonly kind: 'bindAddress' | 'unbindAddress';
  readonly link: string;
  readonly address: IpAddress;
};

/** Network devices and their addresses in this network namespace. */
export interface Links {
  /** Creates the dummy device if it is missing. Throws EEXIST if a device of another kind has the name. True if it was created. It stays down. */
  ensureDummy(name: string): boolean;
  /** Whether a device of any kind has that name. */
  hasLink(name: string): boolean;
  /** Whether a dummy device has that name. */
  isDummy(name: string): boolean;
  /** Throws ENODEV if there is none. */
  deleteLink(name: string): void;
  /** All addresses of all devices and both families. */
  addresses(): Promise<readonly LinkAddress[]>;
  /** The names of all devices by their index. */
  names(): Promise<ReadonlyMap<number, string>>;
  /** Tries every write and returns those that failed; ENODEV without the device. */
  write(batch: readonly AddressWrite[]): readonly Failure[];
  /**
   * Calls back, at most once in a turn of the event loop, when addresses of devices other than `except` changed or events may have
   * been lost. Resolves when the signal aborts. Read {@link addresses} to learn what changed.
   */
  watch(onChange: () => void, options: { except: string; signal: AbortSignal }): Promise<void>;
}

/** A write for error messages: `add address 172.30.0.1 to kube-ipvs0`. */
export function printAddressWrite({ kind, link, address }: AddressWrite): string {
  return kind === 'bindAddress'
    ? `add address ${address} to ${link}`
    : `delete address ${address} from ${link}`;
}
