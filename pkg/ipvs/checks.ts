import type { ErrnoCode } from '../errno/errno.ts';
import { addressBytes, familyOf, type IpAddress } from '../ip/address.ts';
import type { IpvsWrite, RealServer, VirtualServer } from './ipvs.ts';

/** The state that the kernel checks a write against. */
export interface Held {
  /** The virtual server with the write's key, if there is one. */
  readonly virtualServer: VirtualServer | undefined;
  readonly hasRealServer: boolean;
  /** The schedulers that are loaded or can be loaded. */
  readonly schedulers: ReadonlySet<string>;
}

/** The code with which the kernel refuses a write, or `undefined` if it succeeds. The checks are in the kernel's order. */
export function refusal(write: IpvsWrite, held: Held): ErrnoCode | undefined {
  const isHeld = held.virtualServer !== undefined;
  switch (write.kind) {
    case 'addVirtualServer':
      return (
        typeRefusal(write.virtualServer) ??
        (isHeld ? 'EEXIST' : settingRefusal(write.virtualServer, held))
      );
    case 'updateVirtualServer':
      return (
        typeRefusal(write.virtualServer) ??
        (isHeld ? settingRefusal(write.virtualServer, held) : 'ESRCH')
      );
    case 'deleteVirtualServer':
      return isHeld ? undefined : 'ESRCH';
    case 'addRealServer':
      return (
        realServerRefusal(write.realServer, held) ??
        (held.hasRealServer ? 'EEXIST' : hostRefusal(write.realServer.address))
      );
    case 'updateRealServer':
      return (
        realServerRefusal(write.realServer, held) ?? (held.hasRealServer ? undefined : 'ENOENT')
      );
    case 'deleteRealServer':
      return !isHeld ? 'ESRCH' : held.hasRealServer ? undefined : 'ENOENT';
  }
}

/** ERANGE is from our own schema, EINVAL from the kernel's policy for names. */
function typeRefusal(virtualServer: VirtualServer): ErrnoCode | undefined {
  const { scheduler, persistenceEngine, port, timeout, flags } = virtualServer;
  if (!isU16(port) || !isU32(timeout) || !isU32(flags)) return 'ERANGE';
  return scheduler.length > 15 || persistenceEngine.length > 16 ? 'EINVAL' : undefined;
}

function settingRefusal(virtualServer: VirtualServer, { schedulers }: Held): ErrnoCode | undefined {
  if (!schedulers.has(virtualServer.scheduler)) return 'ENOENT';
  if (virtualServer.persistenceEngine !== '' && virtualServer.persistenceEngine !== 'sip')
    return 'ENOENT';
  const isIPv6 = familyOf(virtualServer.address) === 'IPv6';
  return isIPv6 && (virtualServer.prefixLength < 1 || virtualServer.prefixLength > 128)
    ? 'EINVAL'
    : undefined;
}

function realServerRefusal(realServer: RealServer, { virtualServer }: Held): ErrnoCode | undefined {
  const { port, weight, upperThreshold, lowerThreshold } = realServer;
  if (!isU16(port) || ![weight, upperThreshold, lowerThreshold].every(isU32)) return 'ERANGE';
  if (virtualServer === undefined) return 'ESRCH';
  const isMixed = familyOf(virtualServer.address) !== familyOf(realServer.address);
  if (isMixed && realServer.forwarding !== 'tunnel') return 'EINVAL';
  return weight > 0x7fffffff || lowerThreshold > upperThreshold ? 'ERANGE' : undefined;
}

/** A real server is a single host: not unspecified, broadcast or multicast, and not of one link only. */
function hostRefusal(address: IpAddress): ErrnoCode | undefined {
  const [first = 0, second = 0] = addressBytes(address);
  if (familyOf(address) === 'IPv4')
    return first === 0 || (first >= 224 && first < 240) || address === '255.255.255.255'
      ? 'EINVAL'
      : undefined;
  const isUnspecified = address === '::';
  const isLinkLocal = first === 0xfe && (second & 0xc0) === 0x80;
  return isUnspecified || first === 0xff || isLinkLocal ? 'EINVAL' : undefined;
}

function isU16(value: number): boolean {
  return (value & 0xffff) === value;
}

function isU32(value: number): boolean {
  return value >>> 0 === value;
}
