import type { Family } from '../../ip/address.ts';
import type { Protocol } from '../../ip/protocol.ts';
import { CompactMap } from './compact-map.ts';
import { isSamePort, type PortName } from './port-name.ts';

/** One number for each family and protocol. */
const kinds: Readonly<Record<Family, Readonly<Record<Protocol, number>>>> = {
  IPv4: { TCP: 0, UDP: 1, SCTP: 2 },
  IPv6: { TCP: 3, UDP: 4, SCTP: 5 },
};

/** A map from the ports of one Service, without text keys. In insertion order among those of one family and protocol. */
export class PortMap<T> {
  readonly #byKind = new CompactMap<number, CompactMap<string, T>>();

  get size(): number {
    let size = 0;
    for (const byName of this.#byKind.values()) size += byName.size;
    return size;
  }

  get({ family, protocol, name }: PortName): T | undefined {
    return this.#byKind.get(kinds[family][protocol])?.get(name);
  }

  set({ family, protocol, name }: PortName, value: T): void {
    const kind = kinds[family][protocol];
    const byName = this.#byKind.get(kind);
    if (byName !== undefined) {
      byName.set(name, value);
      return;
    }
    const first = new CompactMap<string, T>();
    first.set(name, value);
    this.#byKind.set(kind, first);
  }

  delete({ family, protocol, name }: PortName): void {
    this.#byKind.get(kinds[family][protocol])?.delete(name);
  }

  *values(): Generator<T> {
    for (const byName of this.#byKind.values()) yield* byName.values();
  }
}

/** An object about a port of a Service. */
interface OfPort {
  readonly port: PortName;
}

/** The options of groups of such objects, each group those of one Service. */
export const byPort = {
  several: PortMap,
  isKeyOf: (port: PortName, one: OfPort) => isSamePort(port, one.port),
  keyOf: ({ port }: OfPort) => port,
};
