import type { BeforeAfter } from '../desired/footprint.ts';
import type { ServingEndpoints, UdpFrontEnd } from '../desired/udp-front-end.ts';

type FrontEnds = readonly UdpFrontEnd[];

/** Which UDP front ends have other endpoints than before: their stale flows have to go once the kernel is right. */
export class UdpChanges {
  #changed: UdpFrontEnd[] = [];

  /** Takes note of the UDP front ends of a Service's port as they were and as they are now. */
  note({ before, after }: BeforeAfter<FrontEnds>): void {
    const isSame =
      after.length === before.length &&
      after.every((frontEnd, index) => isSameFrontEnd(frontEnd, before[index]));
    if (!isSame) this.noteChanged(after);
  }

  /** Takes note of UDP front ends of which others serve than before. */
  noteChanged(frontEnds: FrontEnds): void {
    for (const frontEnd of frontEnds) this.#changed.push(frontEnd);
  }

  /** Those that changed since the last call. */
  take(): FrontEnds {
    const changed = this.#changed;
    this.#changed = [];
    return changed;
  }
}

function isSameFrontEnd(one: UdpFrontEnd, other: UdpFrontEnd | undefined): boolean {
  if (other === undefined || one.port !== other.port) return false;
  if (one.addresses.length !== other.addresses.length) return false;
  if (!one.addresses.every((address, index) => address === other.addresses[index])) return false;
  return haveSame(one.endpoints, other.endpoints);
}

function haveSame(some: ServingEndpoints, others: ServingEndpoints): boolean {
  if (some === others) return true;
  if (some.size !== others.size) return false;
  for (const id of some) if (!others.has(id)) return false;
  return true;
}
