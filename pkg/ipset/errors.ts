import { type ErrnoCode, KernelError } from '../errno/errno.ts';
import type { SetHeader } from './ipset.ts';

interface Meaning {
  readonly code: ErrnoCode;
  readonly detail: string;
}

const malformed = 'wrong address family, or a field is missing';

/** IPSET_ERR_* of linux/netfilter/ipset/ip_set.h, which are no errnos. */
const common: Readonly<Record<string, Meaning>> = {
  E4097: { code: 'EINVAL', detail: malformed }, // PROTOCOL
  E4098: { code: 'EOPNOTSUPP', detail: 'the kernel has no such set type or revision' }, // FIND_TYPE
  E4099: { code: 'ENOSPC', detail: 'no more sets are possible' }, // MAX_SETS
  E4100: { code: 'EBUSY', detail: 'set is in use' }, // BUSY
  E4101: { code: 'EEXIST', detail: 'the other set exists' }, // EXIST_SETNAME2
  E4102: { code: 'EINVAL', detail: 'the sets differ in type' }, // TYPE_MISMATCH
  E4103: { code: 'EEXIST', detail: '' }, // EXIST
  E4104: { code: 'EINVAL', detail: 'invalid prefix length' }, // INVALID_CIDR
  E4105: { code: 'EINVAL', detail: 'invalid netmask' }, // INVALID_NETMASK
  E4106: { code: 'EINVAL', detail: 'invalid family' }, // INVALID_FAMILY
  E4107: { code: 'EINVAL', detail: 'the set has no timeouts' }, // TIMEOUT
  E4108: { code: 'EBUSY', detail: 'set is in use' }, // REFERENCED
  E4109: { code: 'EINVAL', detail: 'not an IPv4 address' }, // IPADDR_IPV4
  E4110: { code: 'EINVAL', detail: 'not an IPv6 address' }, // IPADDR_IPV6
};

/** From IPSET_ERR_TYPE_SPECIFIC on, the numbers have a meaning for each kind of type. These are from ip_set_hash.h. */
const ofHash: Readonly<Record<string, Meaning>> = {
  E4352: { code: 'ENOSPC', detail: 'set is full' }, // HASH_FULL
  E4353: { code: 'EINVAL', detail: 'the unspecified address' }, // HASH_ELEM
  E4354: { code: 'EINVAL', detail: 'invalid protocol' }, // INVALID_PROTO
  E4355: { code: 'EINVAL', detail: 'protocol missing' }, // MISSING_PROTO
};

/** The same numbers in ip_set_bitmap.h. */
const ofBitmap: Readonly<Record<string, Meaning>> = {
  E4352: { code: 'ERANGE', detail: 'port outside the range of the set' }, // BITMAP_RANGE
  E4353: { code: 'ERANGE', detail: 'the range is too large' }, // BITMAP_RANGE_SIZE
};

/** Replaces ipset's own error numbers, by the type of the set, with an errno and a text. */
export function inWords(error: KernelError, type: SetHeader['type']): KernelError {
  const specific = type === 'bitmap:port' ? ofBitmap : ofHash;
  const meaning = common[error.code] ?? specific[error.code];
  if (meaning === undefined) return error;
  const { code, detail } = meaning;
  return new KernelError(error.operation, code, { detail, cause: error });
}
