import type { ErrnoCode } from '../errno/errno.ts';
import { addressBytes, familyOf, type IpAddress } from '../ip/address.ts';
import type { IpvsWrite, RealServer, VirtualServer } from './ipvs.ts';

/** What the kernel looks at when it judges a write. */
export interface Held {
  /** The virtual server of that key, if there is one. */
  readonly server: VirtualServer | undefined;
  readonly hasBackend: boolean;
  /** Schedulers that are there or can be loaded. */
  readonly schedulers: ReadonlySet<string>;
}

/** The code with which the kernel refuses a write, or `undefined` if it does it; the order of the checks is the kernel's. */
export function refusal(write: IpvsWrite, held: Held): ErrnoCode | undefined {
  const isHeld = held.server !== undefined;
  switch (write.kind) {
    case 'addVirtualServer':
      return typeRefusal(write.server) ?? (isHeld ? 'EEXIST' : settingRefusal(write.server, held));
    case 'updateVirtualServer':
      return typeRefusal(write.server) ?? (isHeld ? settingRefusal(write.server, held) : 'ESRCH');
    case 'deleteVirtualServer':
      return isHeld ? undefined : 'ESRCH';
    case 'addRealServer':
      return (
        backendRefusal(write.backend, held) ??
        (held.hasBackend ? 'EEXIST' : hostRefusal(write.backend.address))
      );
    case 'updateRealServer':
      return backendRefusal(write.backend, held) ?? (held.hasBackend ? undefined : 'ENOENT');
    case 'deleteRealServer':
      return !isHeld ? 'ESRCH' : held.hasBackend ? undefined : 'ENOENT';
  }
}

/** ERANGE is our own schema's, EINVAL that of the kernel's policy for names. */
function typeRefusal(server: VirtualServer): ErrnoCode | undefined {
  const { scheduler, persistenceEngine, port, timeout, flags } = server;
  if (!isU16(port) || !isU32(timeout) || !isU32(flags)) return 'ERANGE';
  return scheduler.length > 15 || persistenceEngine.length > 16 ? 'EINVAL' : undefined;
}

function settingRefusal(server: VirtualServer, { schedulers }: Held): ErrnoCode | undefined {
  if (!schedulers.has(server.scheduler)) return 'ENOENT';
  if (server.persistenceEngine !== '' && server.persistenceEngine !== 'sip') return 'ENOENT';
  const isIPv6 = familyOf(server.address) === 'IPv6';
  return isIPv6 && (server.prefixLength < 1 || server.prefixLength > 128) ? 'EINVAL' : undefined;
}

function backendRefusal(backend: RealServer, { server }: Held): ErrnoCode | undefined {
  const { port, weight, upperThreshold, lowerThreshold } = backend;
  if (!isU16(port) || ![weight, upperThreshold, lowerThreshold].every(isU32)) return 'ERANGE';
  if (server === undefined) return 'ESRCH';
  const isMixed = familyOf(server.address) !== familyOf(backend.address);
  if (isMixed && backend.forwarding !== 'tunnel') return 'EINVAL';
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
