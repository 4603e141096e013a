import type { UdpFrontEnd } from '../desired/udp-front-end.ts';

/** Which UDP front ends have other endpoints than before: their stale flows have to go once the kernel is right. */
export class UdpChanges {
  readonly #last = new Map<string, readonly UdpFrontEnd[]>();
  #changed: UdpFrontEnd[] = [];

  /** Takes note of the UDP front ends of a Service's port as they are now. */
  note(port: string, frontEnds: readonly UdpFrontEnd[]): void {
    const last = this.#last.get(port) ?? [];
    if (frontEnds.length === 0) this.#last.delete(port);
    else this.#last.set(port, frontEnds);
    const isSame =
      frontEnds.length === last.length &&
      frontEnds.every((frontEnd, index) => isSameFrontEnd(frontEnd, last[index]));
    if (!isSame) this.#changed.push(...frontEnds);
  }

  /** Those that changed since the last call. */
  take(): readonly UdpFrontEnd[] {
    const changed = this.#changed;
    this.#changed = [];
    return changed;
  }
}

function isSameFrontEnd(one: UdpFrontEnd, other: UdpFrontEnd | undefined): boolean {
  if (other === undefined || one.port !== other.port) return false;
  if (one.addresses.length !== other.addresses.length) return false;
  if (!one.addresses.every((address, index) => address === other.addresses[index])) return false;
  if (one.endpoints === other.endpoints) return true;
  if (one.endpoints.size !== other.endpoints.size) return false;
  for (const endpoint of one.endpoints) if (!other.endpoints.has(endpoint)) return false;
  return true;
}
