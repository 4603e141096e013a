import { expect } from 'vitest';
import { type Family, families, familyOf, type IpAddress } from '../../pkg/ip/address.ts';
import { type Protocol, protocols } from '../../pkg/ip/protocol.ts';
import { packUid } from '../../pkg/kube/objects/pod-uid.ts';
import type { Change, Endpoint, Service } from '../../pkg/kube/types.ts';
import { ip } from './addresses.ts';
import { type Answer, ask, type Request } from './network/client.ts';
import { type Host, nodeAddresses } from './network/network.ts';
import { type Server, serve } from './network/server.ts';
import { endpoint, service, servicePort, slice } from './objects.ts';
import { setService, setSlice } from './proxier.ts';

// Traffic of every protocol and family at once: Services with a port for each protocol and an address of each family,
// servers for it, and requests to it. What comes back is a table: `TCP IPv4` → `web saw 10.0.1.2`.

/** Where something listens, in each family. */
export interface Target {
  readonly addresses: Readonly<Record<Family, IpAddress>>;
  readonly port: number;
}

/** A protocol in a family. */
export interface Kind {
  readonly protocol: Protocol;
  readonly family: Family;
}

/** Every protocol in every family. */
export const kinds: readonly Kind[] = families.flatMap((family) =>
  protocols.map((protocol) => ({ protocol, family })),
);

/** A kind's name in tables. */
export function nameOf({ protocol, family }: Kind): string {
  return `${protocol} ${family}`;
}

/** A value for each kind of traffic, by names as `TCP IPv4`. */
export type Table<T = string> = Record<string, T>;

/** A table with the result of a function for each kind, of all kinds or of some. */
export function table<T>(of: (kind: Kind) => T, some: readonly Kind[] = kinds): Table<T> {
  return Object.fromEntries(some.map((kind) => [nameOf(kind), of(kind)] as const));
}

/** The result of {@link askAll} when nobody may answer: refused, or silence where the kernel has sent enough ICMP messages for now. */
export const unanswered: Table = table(() => expect.stringMatching(/^(refused|timeout)$/));

/** The address that a host has in a family; throws if it has none. */
export function addressOf({ name, addresses }: Host, family: Family): IpAddress {
  const address = addresses.find((candidate) => familyOf(candidate) === family);
  if (address === undefined) throw new Error(`${name} has no ${family} address`);
  return address;
}

/** An endpoint: a pod of this node, unless said otherwise. */
export type PodEndpoint = Host | (Partial<Endpoint> & { readonly host: Host });

/** A Service of `shop` with port 80 for every protocol, which its pods serve on 8080, and a node port. */
export class ShopService {
  readonly name: string;
  /** Its cluster IPs. */
  readonly vip: Target;
  readonly nodePort: Target;

  /** The number makes its addresses and node port: 1 stands for 172.30.0.1, fd00:172:30::1 and 30080. */
  constructor(name: string, number: number) {
    this.name = name;
    const addresses = { IPv4: ip(`172.30.0.${number}`), IPv6: ip(`fd00:172:30::${number}`) };
    this.vip = { addresses, port: 80 };
    this.nodePort = { addresses: nodeAddresses, port: 30_079 + number };
  }

  /** The Service itself. */
  service(over: Partial<Service> = {}): Change {
    return setService(
      service({
        name: this.name,
        type: 'NodePort',
        clusterIPs: Object.values(this.vip.addresses),
        ports: protocols.map((protocol) =>
          servicePort({ name: protocol.toLowerCase(), protocol, nodePort: this.nodePort.port }),
        ),
        ...over,
      }),
    );
  }

  /** Its slices, one for each family: these endpoints and no others. */
  slices(...endpoints: readonly PodEndpoint[]): readonly Change[] {
    return families.map((family) =>
      setSlice(
        slice(
          endpoints.map((given) => toEndpoint(given, family)),
          {
            name: `${this.name}-${family.toLowerCase()}`,
            serviceName: this.name,
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
}

function toEndpoint(given: PodEndpoint, family: Family): Endpoint {
  const { host, ...over } = 'host' in given ? given : { host: given };
  const podUid = packUid(`pod-${host.name}`);
  return endpoint(addressOf(host, family), { nodeName: 'here', podUid, ...over });
}

/** Serves every protocol in every family on a host's own addresses; port 8080 unless said otherwise. */
export function serveAll(host: Host, port = 8080): readonly Server[] {
  return kinds.map(({ protocol, family }) =>
    serve(host, { protocol, port, address: addressOf(host, family) }),
  );
}

/** Above those that the kernel draws from (net.ipv4.ip_local_port_range). */
const unusedPorts = { first: 61_000, last: 65_535 };
let nextPort = unusedPorts.first;

/** A source port that no request of this process had before, until all were used. */
function unusedPort(): number {
  const port = nextPort;
  nextPort = port === unusedPorts.last ? unusedPorts.first : port + 1;
  return port;
}

/**
 * A request whose answer is to be compared. The kernel draws source ports of UDP and SCTP at random. Where one comes twice, IPVS takes the
 * request for one of a connection that it remembers, and asks no scheduler. So they have ports that nobody had.
 */
export function requestTo({ addresses, port }: Target, { protocol, family }: Kind): Request {
  const request = { protocol, address: addresses[family], port };
  return protocol === 'TCP' ? request : { ...request, sourcePort: unusedPort() };
}

/** One request of each kind at the same time, and what came of each. */
export async function askAll(
  host: Host,
  target: Target,
  over: Partial<Request> = {},
): Promise<Table> {
  const answers = await Promise.all(
    kinds.map((kind) => ask(host, { ...requestTo(target, kind), ...over })),
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
