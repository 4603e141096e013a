import type { IpAddress } from '../../ip/address.ts';
import type { EndpointSlice, Service, ServiceHealth } from '../../kube/types.ts';
import { healthCheckNodePort } from '../desired/service.ts';

/** The new health of a Service; `undefined` if it has no health-check node port any more. */
interface ServiceHealthChange {
  /** `namespace/name`. */
  readonly key: string;
  readonly health: ServiceHealth | undefined;
}

/** The health of the Services that have a health-check node port, as far as it changed. */
export class ServiceHealthChanges {
  readonly #last = new Map<string, ServiceHealth>();
  readonly #changed = new Set<string>();

  /** Records the health of a Service that was entered or deleted. */
  note(
    key: string,
    objects: { readonly service: Service; readonly slices: Iterable<EndpointSlice> } | undefined,
    nodeName: string,
  ): void {
    const health = objects && healthOf(objects, nodeName);
    const last = this.#last.get(key);
    if (health === undefined ? last === undefined : isSame(health, last)) return;
    if (health === undefined) this.#last.delete(key);
    else this.#last.set(key, health);
    this.#changed.add(key);
  }

  /** Whether a Service had a health-check node port when its health was recorded last. */
  has(key: string): boolean {
    return this.#last.has(key);
  }

  /** What changed since the last call. */
  take(): readonly ServiceHealthChange[] {
    if (this.#changed.size === 0) return none;
    const changes = [...this.#changed].map((key) => ({ key, health: this.#last.get(key) }));
    this.#changed.clear();
    return changes;
  }
}

const none: readonly never[] = Object.freeze([]);

function healthOf(
  { service, slices }: { readonly service: Service; readonly slices: Iterable<EndpointSlice> },
  nodeName: string,
): ServiceHealth | undefined {
  const { namespace, name, uid } = service;
  const port = healthCheckNodePort(service);
  if (port === 0) return undefined;
  // A pod of a dual-stack Service has an address of each family and counts once.
  const addresses = { IPv4: new Set<IpAddress>(), IPv6: new Set<IpAddress>() };
  for (const { family, endpoints } of slices)
    for (const endpoint of endpoints)
      if (endpoint.nodeName === nodeName && endpoint.ready && !endpoint.terminating)
        addresses[family].add(endpoint.address);
  const localEndpoints = Math.max(addresses.IPv4.size, addresses.IPv6.size);
  return { namespace, name, uid, port, localEndpoints };
}

function isSame(one: ServiceHealth, other: ServiceHealth | undefined): boolean {
  return (
    one.uid === other?.uid && one.port === other.port && one.localEndpoints === other.localEndpoints
  );
}
