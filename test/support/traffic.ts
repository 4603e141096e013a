import { type Family, families, familyOf, type IpAddress } from '../../pkg/ip/address.ts';
import { type Protocol, protocols } from '../../pkg/ip/protocol.ts';
import type { Change, Endpoint, Service } from '../../pkg/kube/types.ts';
import { ip } from './addresses.ts';
import { type Answer, ask, type Request } from './network/client.ts';
import { type Host, nodeAddresses } from './network/network.ts';
import { type Server, serve } from './network/server.ts';
import { endpoint, service, servicePort, slice } from './objects.ts';
import { setService, setSlice } from './proxier.ts';

// Traffic of every protocol and family at once: a Service with a port for each protocol and an address of each family,
// servers for it, and requests to it. What comes back is a table: `TCP IPv4` → `web saw 10.0.1.2`.

/** Where something listens, in each family. */
export interface Target {
  readonly addresses: Readonly<Record<Family, IpAddress>>;
  readonly port: number;
}

/** The cluster IPs of `shop/web`. */
export const clusterIPs = { IPv4: ip('172.30.0.1'), IPv6: ip('fd00:172:30::1') } as const;

/** `shop/web` by its cluster IP. */
export const vip: Target = { addresses: clusterIPs, port: 80 };

/** `shop/web` by its node port. */
export const nodePort: Target = { addresses: nodeAddresses, port: 30080 };

/** A protocol in a family. */
export interface Kind {
  readonly protocol: Protocol;
  readonly family: Family;
}

/** Every protocol in every family. */
export const kinds: readonly Kind[] = families.flatMap((family) =>
  protocols.map((protocol) => ({ protocol, family })),
);

/** A value for each kind of traffic, by names as `TCP IPv4`. */
export type Table<T = string> = Record<string, T>;

/** A table with what a function says of each kind. */
export function table<T>(of: (kind: Kind) => T): Table<T> {
  return Object.fromEntries(
    kinds.map((kind) => [`${kind.protocol} ${kind.family}`, of(kind)] as const),
  );
}

/** The address that a host has in a family; throws if it has none. */
export function addressOf({ name, addresses }: Host, family: Family): IpAddress {
  const address = addresses.find((candidate) => familyOf(candidate) === family);
  if (address === undefined) throw new Error(`${name} has no ${family} address`);
  return address;
}

/** `shop/web`: port 80 for every protocol, on the node's port 30080 as well. */
export function webService(over: Partial<Service> = {}): Change {
  return setService(
    service({
      type: 'NodePort',
      clusterIPs: Object.values(clusterIPs),
      ports: protocols.map((protocol) =>
        servicePort({ name: protocol.toLowerCase(), protocol, nodePort: nodePort.port }),
      ),
      ...over,
    }),
  );
}

/** An endpoint of `shop/web`: a pod of this node, unless said otherwise. */
export type WebEndpoint = Host | (Partial<Endpoint> & { readonly host: Host });

/** The slices of `shop/web`, one for each family: these endpoints and no others, port 8080. */
export function webSlices(endpoints: readonly WebEndpoint[]): readonly Change[] {
  return families.map((family) =>
    setSlice(
      slice(
        endpoints.map((given) => {
          const { host, ...over } = 'host' in given ? given : { host: given };
          return endpoint(addressOf(host, family), {
            nodeName: 'here',
            podUid: `pod-${host.name}`,
            ...over,
          });
        }),
        {
          name: `web-${family.toLowerCase()}`,
          family,
          ports: protocols.map((protocol) => ({
            name: protocol.toLowerCase(),
            protocol,
            port: 8080,
          })),
        },
      ),
    ),
  );
}

/** Serves every protocol in every family on a host's own addresses; port 8080 unless said otherwise. */
export function serveAll(host: Host, port = 8080): readonly Server[] {
  return kinds.map(({ protocol, family }) =>
    serve(host, { protocol, port, address: addressOf(host, family) }),
  );
}

/** One request of each kind at the same time, and what came of each. */
export async function askAll(
  host: Host,
  { addresses, port }: Target,
  over: Partial<Request> = {},
): Promise<Table> {
  const answers = await Promise.all(
    kinds.map(({ protocol, family }) =>
      ask(host, { protocol, address: addresses[family], port, ...over }),
    ),
  );
  return Object.fromEntries(
    Object.keys(table(() => '')).map((name, index) => [name, printAnswer(answers[index])]),
  );
}

/** `web saw 10.0.1.2`, or why there was no answer. */
export function printAnswer(answer: Answer | undefined): string {
  if (answer === undefined) return 'nothing';
  return answer.kind === 'answer' ? `${answer.server} saw ${answer.peer}` : answer.kind;
}
