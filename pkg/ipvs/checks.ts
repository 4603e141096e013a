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
  switch (write.kind) {
    case 'addVirtualServer':
      return !fits(write.server)
        ? 'ERANGE'
        : held.server === undefined
          ? serviceRefusal(write.server, held)
          : 'EEXIST';
    case 'updateVirtualServer':
      return !fits(write.server)
        ? 'ERANGE'
        : held.server === undefined
          ? 'ESRCH'
          : serviceRefusal(write.server, held);
    case 'deleteVirtualServer':
      return held.server === undefined ? 'ESRCH' : undefined;
    case 'addRealServer':
      return (
        destRefusal(write.backend, held) ??
        (held.hasBackend ? 'EEXIST' : destinationRefusal(write.backend.address))
      );
    case 'updateRealServer':
      return destRefusal(write.backend, held) ?? (held.hasBackend ? undefined : 'ENOENT');
    case 'deleteRealServer':
      return held.server === undefined ? 'ESRCH' : held.hasBackend ? undefined : 'ENOENT';
  }
}

/** Names longer than the kernel's fields, and a number beyond its type, do not get past its policy. */
function fits({ scheduler, persistenceEngine, port, timeout, flags }: VirtualServer): boolean {
  return (
    scheduler.length < 16 &&
    persistenceEngine.length <= 16 &&
    isU16(port) &&
    timeout >>> 0 === timeout &&
    flags >>> 0 === flags
  );
}

function serviceRefusal(server: VirtualServer, { schedulers }: Held): ErrnoCode | undefined {
  if (!schedulers.has(server.scheduler)) return 'ENOENT';
  if (server.persistenceEngine !== '' && server.persistenceEngine !== 'sip') return 'ENOENT';
  const isIPv6 = familyOf(server.address) === 'IPv6';
  return isIPv6 && (server.prefixLength < 1 || server.prefixLength > 128) ? 'EINVAL' : undefined;
}

function destRefusal(backend: RealServer, { server }: Held): ErrnoCode | undefined {
  if (!isU16(backend.port) || backend.weight >>> 0 !== backend.weight) return 'ERANGE';
  if (server === undefined) return 'ESRCH';
  const isMixed = familyOf(server.address) !== familyOf(backend.address);
  if (isMixed && backend.forwarding !== 'tunnel') return 'EINVAL';
  const isOrdered = backend.lowerThreshold <= backend.upperThreshold;
  return backend.weight > 0x7fffffff || !isOrdered ? 'ERANGE' : undefined;
}

/** A real server is a single host: not unspecified, broadcast or multicast, and not of one link only. */
function destinationRefusal(address: IpAddress): ErrnoCode | undefined {
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
