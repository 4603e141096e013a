import type { BeforeAfter, LocalLack } from './footprint.ts';

type Counts = Record<LocalLack, number>;

/** How many Services find no local endpoint for a traffic policy that asks for one; a Service counts once however many ports lack one. */
export class LocalLacks {
  readonly #services = noLacks();
  readonly #partsByService = new Map<string, Counts>();

  services(): Readonly<Counts> {
    return { ...this.#services };
  }

  /** Counts what a part of a Service lacks in the place of what it lacked last. */
  count(service: string, { before, after }: Partial<BeforeAfter<Iterable<LocalLack>>>): void {
    for (const lack of after ?? []) this.#add(service, { lack, by: 1 });
    for (const lack of before ?? []) this.#add(service, { lack, by: -1 });
  }

  #add(service: string, { lack, by }: { lack: LocalLack; by: 1 | -1 }): void {
    const counts = this.#partsByService.get(service) ?? noLacks();
    const before = counts[lack];
    counts[lack] += by;
    if (before === 0 || counts[lack] === 0) this.#services[lack] += by;
    const isLacking = Object.values(counts).some((count) => count > 0);
    if (isLacking) this.#partsByService.set(service, counts);
    else this.#partsByService.delete(service);
  }
}

function noLacks(): Counts {
  return { 'internal IPv4': 0, 'internal IPv6': 0, 'external IPv4': 0, 'external IPv6': 0 };
}
