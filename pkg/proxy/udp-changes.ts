import type { UdpFrontEnd } from './flow-notes.ts';

/** Which UDP front ends have other endpoints than before: their stale flows have to go once the kernel is right. */
export class UdpChanges {
  readonly #last = new Map<string, string>();
  #changed: UdpFrontEnd[] = [];

  /** Takes note of a Service's UDP front ends as they are now. */
  note(service: string, frontEnds: readonly UdpFrontEnd[]): void {
    const now = frontEnds.length === 0 ? '' : JSON.stringify(frontEnds);
    if (now === (this.#last.get(service) ?? '')) return;
    if (now === '') this.#last.delete(service);
    else this.#last.set(service, now);
    this.#changed.push(...frontEnds);
  }

  /** Those that changed since the last call. */
  take(): readonly UdpFrontEnd[] {
    const changed = this.#changed;
    this.#changed = [];
    return changed;
  }
}
