import { attributes, optional } from '../wire/attributes.ts';
import { cstring, u32, type ValueOf } from '../wire/codec.ts';

/** The attributes after an error or acknowledgement on a socket with NETLINK_EXT_ACK. */
export const extendedAck = attributes('NLMSGERR_ATTR', {
  message: optional(1, cstring), // MSG
  offset: optional(2, u32), // OFFS
  missingType: optional(5, u32), // MISS_TYPE
});

/** The kernel's message, or a text made from the other attributes; '' if there is none. */
export function printExtendedAck({
  message,
  offset,
  missingType,
}: ValueOf<typeof extendedAck>): string {
  if (message !== undefined) return message;
  if (missingType !== undefined) return `attribute ${missingType} is missing`;
  return offset === undefined ? '' : `attribute at byte ${offset}`;
}
