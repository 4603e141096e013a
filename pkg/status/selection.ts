import type { IpAddress } from '../ip/address.ts';
import { type VirtualServerId, virtualServerKey } from '../ipvs/ipvs.ts';
import { objectKey } from '../kube/object-key.ts';
import type { Owner } from '../proxy/desired/service.ts';
import { Yielder } from '../runner/yielder.ts';
import { FirstKeys } from './first-keys.ts';
import type { StatusQuery } from './query.ts';
import type { ServedView } from './served-view.ts';

/** Stands for virtual servers that a start found and whose Service is not known. */
const nobody = objectKey({ namespace: '', name: '' });

/** The Services of one page. */
export interface Selection {
  /** In their order, by `namespace/name`. */
  readonly keys: readonly string[];
  readonly hasMore: boolean;
  /** The virtual servers that each of them had and nobody wants any more. */
  readonly left: ReadonlyMap<string, readonly string[]>;
}

/** Selects the Services of a page. Looks at each Service once, and lets the event loop turn in between. */
export async function select(
  query: StatusQuery,
  { view, now }: { readonly view: ServedView; readonly now: () => number },
): Promise<Selection> {
  const yielder = new Yielder(now);
  const first = new FirstKeys(query);
  const concerns = concerning(query, view);
  for (const key of view.store.serviceKeys()) {
    if (yielder.isDue) await yielder.yieldIfDue();
    if (first.takes(key) && isServed(key, view) && concerns(key)) first.add(key);
  }
  for (const { owner, id } of leftVirtualServers(view)) {
    if (yielder.isDue) await yielder.yieldIfDue();
    if (first.takes(owner) && concerns(owner, id)) first.add(owner);
  }
  const left = new Map<string, string[]>();
  const chosen = new Set(first.keys);
  for (const { owner, key } of leftVirtualServers(view)) {
    if (yielder.isDue) await yielder.yieldIfDue();
    if (!chosen.has(owner)) continue;
    const keys = left.get(owner);
    if (keys === undefined) left.set(owner, [key]);
    else keys.push(key);
  }
  return { keys: first.keys, hasMore: first.hasMore, left };
}

/** The virtual servers that nobody wants any more, with the Service that had each. */
function* leftVirtualServers({
  ledger,
}: Pick<ServedView, 'ledger'>): Generator<{ owner: string; key: string; id: VirtualServerId }> {
  for (const frontEnds of [ledger.retired(), ledger.leaving()])
    for (const [key, { virtualServer: id }] of frontEnds)
      yield { owner: keyOf(ledger.lastOwner(key)), key, id };
}

function keyOf(owner: Owner | undefined): string {
  return owner?.key ?? nobody;
}

/** Whether virtual servers are made for a Service. */
function isServed(key: string, { store }: ServedView): boolean {
  const service = store.service(key);
  return service !== undefined && service.type !== 'ExternalName' && service.clusterIPs.length > 0;
}

type Concerns = (key: string, left?: VirtualServerId) => boolean;

/** Whether a query is about a Service, or about a virtual server that it had. */
function concerning({ namespace, name, address }: StatusQuery, view: ServedView): Concerns {
  const prefix = namespace === undefined ? '' : `${namespace}/`;
  const suffix = name === undefined ? '' : `/${name}`;
  const isNamed = (key: string) => key.startsWith(prefix) && key.endsWith(suffix);
  if (address === undefined) return isNamed;
  const isAtAddress = atAddress(address, view);
  return (key, left) => isNamed(key) && (left?.address === address || isAtAddress(key));
}

/** Whether a virtual server, an endpoint or a draining real server of a Service has an address. */
function atAddress(
  address: IpAddress,
  { store, pods, ledger, graceful }: ServedView,
): (key: string) => boolean {
  const draining = new Set(
    graceful.drainsAt(address).map((id) => keyOf(ledger.lastOwner(virtualServerKey(id)))),
  );
  return (key) => {
    const service = store.service(key);
    return (
      draining.has(key) ||
      (service !== undefined && pods.isIn(service, address)) ||
      ledger
        .footprints(key)
        .some(({ frontEnds }) =>
          frontEnds.some(({ virtualServer }) => virtualServer.address === address),
        )
    );
  };
}
