import { type IpAddress, loopback } from '../../../pkg/ip/address.ts';
import { contains, printPrefix, splitPrefix } from '../../../pkg/ip/prefix.ts';
import type { Endpoint, EndpointSlice, Service, ServicePortSpec } from '../../../pkg/kube/types.ts';
import { unknownPod } from '../../../pkg/proxy/desired/pod-identity.ts';

// What the kernel should hold for some objects, computed anew from all of them each time, as simply as it can be said. It shares no
// code with the proxier, so that a mistake has to be made twice to go unseen: nothing of pkg/proxy is imported here.

/** Everything that the kernel's state follows from. */
export interface World {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly nodeName: string;
  /** Label `topology.kubernetes.io/zone`, '' if there is none. */
  readonly zone: string;
  /** What the Node object has of each family; source ranges are compared with the first, and with loopback where there is none. */
  readonly nodeIPs: readonly IpAddress[];
  /** What is on the node's own devices. */
  readonly nodeAddresses: readonly IpAddress[];
}

type Family = 'IPv4' | 'IPv6';

/** One virtual server that a Service asks for. */
interface Claim {
  readonly service: Service;
  readonly address: IpAddress;
  readonly protocol: ServicePortSpec['protocol'];
  readonly port: number;
  /** 0 for what the API allocates, 1 for a load balancer's, 2 for an external IP. */
  readonly rank: number;
  readonly isBound: boolean;
  readonly realServers: readonly Place[];
  /** It should have endpoints of this node, and has those of others. */
  readonly isFallback: boolean;
}

/** An endpoint and the port that its slice gives. */
interface Place {
  readonly endpoint: Endpoint;
  readonly port: number;
}

/** A port of a Service in one family, with its endpoints. */
interface Port extends ServicePortSpec {
  readonly service: Service;
  readonly family: Family;
  readonly clusterIP: IpAddress;
  readonly externalIPs: readonly IpAddress[];
  readonly loadBalancerIPs: readonly IpAddress[];
  readonly places: readonly Place[];
}

/** The state as lines in the words of ipvsadm, ip, ipset and iptables, sorted: {@link compared} lists which. */
export function expectedState(world: World): readonly string[] {
  const lines = new Set<string>();
  const claims: Claim[] = [];
  for (const port of portsOf(world)) {
    const asked = claimsOf(port, world);
    claims.push(...asked);
    for (const [set, entry] of entriesOf(port, { world, claims: asked }))
      lines.add(`add ${setName(set, port.family)} ${entry}`);
  }
  for (const { address, isBound } of claims)
    if (isBound) lines.add(address.includes(':') ? `inet6 ${address}/128` : `inet ${address}/32`);
  for (const line of ipvsLines(claims)) lines.add(line);
  for (const line of ruleLines(lines)) lines.add(line);
  return [...lines].sort();
}

function* portsOf(world: World): Generator<Port> {
  for (const service of world.services) {
    if (service.type === 'ExternalName') continue;
    for (const family of ['IPv4', 'IPv6'] as const) {
      const ofFamily = (all: readonly IpAddress[]) => all.filter((one) => familyOf(one) === family);
      const [clusterIP] = ofFamily(service.clusterIPs);
      if (clusterIP === undefined) continue;
      for (const port of service.ports)
        yield {
          ...port,
          service,
          family,
          clusterIP,
          externalIPs: ofFamily(service.externalIPs),
          loadBalancerIPs: ofFamily(service.loadBalancerIPs),
          places: placesOf(service, { family, port, slices: world.slices }),
        };
    }
  }
}

/** One endpoint for each address and port; of several the one that is most fit to serve. */
function placesOf(
  { key }: Service,
  {
    family,
    port,
    slices,
  }: { family: Family; port: ServicePortSpec; slices: readonly EndpointSlice[] },
): readonly Place[] {
  const all = slices
    .filter((slice) => slice.serviceKey === key)
    .filter((slice) => slice.family === family)
    .flatMap(({ ports, endpoints }) =>
      ports
        .filter((one) => one.name === port.name && one.protocol === port.protocol)
        .flatMap((one) => endpoints.map((endpoint) => ({ endpoint, port: one.port }))),
    );
  const rivals = Map.groupBy(all, (place) => `${place.endpoint.address} ${place.port}`);
  return [...rivals.values()].flatMap((some) => some.toSorted(byFitness).slice(0, 1));
}

function byFitness({ endpoint: one }: Place, { endpoint: other }: Place): number {
  const uid = ({ podUid }: Endpoint) => (podUid === unknownPod ? '\u{10ffff}' : podUid);
  return fitness(other) - fitness(one) || (uid(one) < uid(other) ? -1 : 1);
}

function fitness({ ready, serving, terminating }: Endpoint): number {
  if (ready && !terminating) return 4;
  if (ready) return 3;
  if (serving && terminating) return 2;
  return terminating ? 0 : 1;
}

function claimsOf(port: Port, world: World): readonly Claim[] {
  const { service, protocol } = port;
  const isOnNode = (address: IpAddress) => world.nodeAddresses.includes(address);
  const chosen = realServers(port, { world, isFromOutside: true });
  // Had there been one of this node, nobody else would have been chosen.
  const isElsewhere = chosen.some(({ endpoint }) => endpoint.nodeName !== world.nodeName);
  const isFallback = isExternalLocal(service) && isElsewhere;
  const outside = { service, protocol, realServers: chosen, isFallback };
  const inside = {
    service,
    protocol,
    realServers: realServers(port, { world, isFromOutside: false }),
    isFallback: false,
  };
  const ofVips = (addresses: readonly IpAddress[], rank: number) =>
    addresses.map((address): Claim => {
      return { ...outside, address, port: port.port, rank, isBound: !isOnNode(address) };
    });
  const nodePorts = port.nodePort === 0 ? [] : nodePortAddresses(port, world);
  return [
    { ...inside, address: port.clusterIP, port: port.port, rank: 0, isBound: true },
    ...ofVips(port.loadBalancerIPs, 1),
    ...ofVips(port.externalIPs, 2),
    ...nodePorts.map((address): Claim => {
      return { ...outside, address, port: port.nodePort, rank: 0, isBound: false };
    }),
  ];
}

function nodePortAddresses({ family }: Port, { nodeAddresses }: World): readonly IpAddress[] {
  return nodeAddresses.filter((address) => familyOf(address) === family);
}

function isExternalLocal({ type, externalTrafficPolicy }: Service): boolean {
  return (type === 'NodePort' || type === 'LoadBalancer') && externalTrafficPolicy === 'Local';
}

/** Whom traffic to a port goes to. */
function realServers(
  port: Port,
  { world, isFromOutside }: { world: World; isFromOutside: boolean },
): readonly Place[] {
  const { service, places } = port;
  const local = places.filter(({ endpoint }) => endpoint.nodeName === world.nodeName);
  const isLocal = isFromOutside
    ? isExternalLocal(service)
    : service.internalTrafficPolicy === 'Local';
  const anywhere = readyOrTerminating(nearest(places, world), places);
  if (!isLocal) return anywhere;
  const here = readyOrTerminating(ready(local), local);
  return here.length === 0 && isFromOutside ? anywhere : here;
}

function ready(places: readonly Place[]): readonly Place[] {
  return places.filter(({ endpoint }) => endpoint.ready);
}

function readyOrTerminating(chosen: readonly Place[], all: readonly Place[]): readonly Place[] {
  if (chosen.length > 0) return chosen;
  return all.filter(({ endpoint }) => endpoint.serving && endpoint.terminating);
}

/** The ready endpoints that are hinted at, if every one of them is hinted and some hint means this node or its zone. */
function nearest(places: readonly Place[], { nodeName, zone }: World): readonly Place[] {
  const all = ready(places);
  for (const [hintsOf, here] of [
    [({ nodeHints }: Endpoint) => nodeHints, nodeName],
    [({ zoneHints }: Endpoint) => zoneHints, zone],
  ] as const) {
    const isEveryHinted = all.every(({ endpoint }) => hintsOf(endpoint).length > 0);
    const near = all.filter(({ endpoint }) => here !== '' && hintsOf(endpoint).includes(here));
    if (isEveryHinted && near.length > 0) return near;
  }
  return all;
}

type Entries = readonly (readonly [set: string, entry: string])[];

function entriesOf(
  port: Port,
  { world, claims }: { world: World; claims: readonly Claim[] },
): Entries {
  const { service, clusterIP, externalIPs, loadBalancerIPs } = port;
  const place = (ip: IpAddress, number = port.port) =>
    `${ip},${port.protocol.toLowerCase()}:${number}`;
  const isLocal = isExternalLocal(service);
  const isProbed = service.type === 'LoadBalancer' && isLocal && service.healthCheckNodePort !== 0;
  const here = port.places.filter(({ endpoint }) => endpoint.nodeName === world.nodeName);
  return [
    ...here.map(({ endpoint: { address }, port: number }) => {
      return ['LOOP-BACK', `${place(address, number)},${address}`] as const;
    }),
    ['CLUSTER-IP', place(clusterIP)],
    ...(isProbed ? [['HEALTH-CHECK-NODE-PORT', `${service.healthCheckNodePort}`] as const] : []),
    ...externalIPs.map((ip) => {
      return [isLocal ? 'EXTERNAL-IP-LOCAL' : 'EXTERNAL-IP', place(ip)] as const;
    }),
    ...loadBalancerIPs.map((ip) => ['LOAD-BALANCER', place(ip)] as const),
    ...(isLocal ? loadBalancerIPs.map((ip) => ['LOAD-BALANCER-LOCAL', place(ip)] as const) : []),
    ...loadBalancerIPs.flatMap((ip) => sourceRangeEntries(port, { ip, place: place(ip), world })),
    ...nodePortEntries(port, world),
    ...claims.flatMap(({ address, isBound }) => {
      return isBound ? [['IPVS-IPS', address] as const] : [];
    }),
  ];
}

function nodePortEntries(port: Port, world: World): Entries {
  const { protocol, nodePort, service } = port;
  if (nodePort === 0) return [];
  const kind = protocol === 'SCTP' ? 'SCTP-HASH' : protocol;
  const addresses = nodePortAddresses(port, world);
  const entries =
    protocol === 'SCTP'
      ? addresses.map((ip) => `${ip},sctp:${nodePort}`)
      : addresses.length > 0
        ? [`${nodePort}`]
        : [];
  return entries.flatMap((entry) => [
    [`NODE-PORT-${kind}`, entry] as const,
    ...(isExternalLocal(service) ? [[`NODE-PORT-LOCAL-${kind}`, entry] as const] : []),
  ]);
}

function sourceRangeEntries(
  { family, service: { sourceRanges } }: Port,
  { ip, place, world: { nodeIPs } }: { ip: IpAddress; place: string; world: World },
): Entries {
  const ranges = sourceRanges.filter(({ address }) => familyOf(address) === family);
  if (ranges.length === 0) return [];
  const nodeIP = nodeIPs.find((address) => familyOf(address) === family) ?? loopback(family);
  const isNodeIn = ranges.some((range) => contains(range, nodeIP));
  const halves = ranges.flatMap((range) => (range.length === 0 ? splitPrefix(range) : [range]));
  return [
    ['LOAD-BALANCER-FW', place],
    ...halves.map((net) => ['LOAD-BALANCER-SOURCE-CIDR', `${place},${printNet(net)}`] as const),
    ...(isNodeIn ? [['LOAD-BALANCER-SOURCE-IP', `${place},${ip}`] as const] : []),
  ];
}

function printNet(net: Parameters<typeof printPrefix>[0]): string {
  const isWhole = net.length === (familyOf(net.address) === 'IPv4' ? 32 : 128);
  return isWhole ? net.address : printPrefix(net);
}

/** Of several that want one virtual server the first by rank, age and name has it. */
function* ipvsLines(claims: readonly Claim[]): Generator<string> {
  const options = { TCP: '-t', UDP: '-u', SCTP: '--sctp-service' };
  const nameOf = ({ address, protocol, port }: Claim) => {
    return `${options[protocol]} ${hostPort(address, port)}`;
  };
  for (const [name, rivals] of Map.groupBy(claims, nameOf)) {
    const [winner] = rivals.toSorted(byPriority);
    if (winner === undefined) continue;
    yield `-A ${name} -s ${scheduling(winner.service)}`;
    const { address, protocol } = winner;
    if (winner.isFallback)
      yield `add ${setName('IPVS-NO-LOCAL', familyOf(address))} ${address},${protocol.toLowerCase()}:${winner.port}`;
    for (const { endpoint, port } of winner.realServers)
      yield `-a ${name} -r ${hostPort(endpoint.address, port)} -m -w 1`;
  }
}

function byPriority(one: Claim, other: Claim): number {
  const age = ({ service }: Claim) => service.created || Number.POSITIVE_INFINITY;
  const key = ({ service }: Claim) => `${service.namespace}/${service.name}`;
  if (one.rank !== other.rank) return one.rank - other.rank;
  if (age(one) !== age(other)) return age(one) - age(other);
  if (key(one) === key(other)) return 0;
  return key(one) < key(other) ? -1 : 1;
}

/** `rr` is configured; what else Services may ask for here are these. */
const askable: Readonly<Record<string, string>> = {
  lc: '',
  sh: 'sh-fallback',
  mh: 'mh-fallback,mh-port',
};

function scheduling({ annotations, affinitySeconds }: Service): string {
  const asked = annotations['scheduler'] ?? '';
  const scheduler = Object.hasOwn(askable, asked) ? asked : 'rr';
  const persistence = affinitySeconds > 0 ? ` -p ${affinitySeconds}` : '';
  const flags = askable[scheduler] ?? '';
  return `${scheduler}${persistence}${flags === '' ? '' : ` -b ${flags}`}`;
}

/** Rules match on a set if it has entries, and keep the node from load balancers whose source ranges leave it out. */
function* ruleLines(lines: ReadonlySet<string>): Generator<string> {
  for (const line of lines) {
    const [command, set = '', entry = ''] = line.split(' ');
    if (command !== 'add' || isAlwaysMatched(set)) continue;
    yield `rules match on ${set}`;
    const [ip] = entry.split(',');
    const exemption = `add ${set.replace(/FW$/, 'SOURCE-IP')} ${entry},${ip}`;
    if (set.endsWith('-LOAD-BALANCER-FW') && !lines.has(exemption))
      yield `rules keep the node from ${entry}`;
  }
}

/** Whether rules match on a set even if it is empty. */
function isAlwaysMatched(set: string): boolean {
  return /-(HEALTH-CHECK-NODE-PORT|IPVS-IPS)$/.test(set);
}

/**
 * What of a printed state is compared: virtual and real servers as ipvsadm saves them, addresses of the dummy device, entries as
 * ipset saves them, the sets that rules of the nat table and of the source ranges match on, and the load balancers that the node may
 * not use. Sorted.
 */
export function compared(printed: {
  readonly ipvs: string;
  readonly addresses: readonly string[];
  readonly sets: string;
  readonly rules: string;
}): readonly string[] {
  const lines = (text: string) => text.split('\n').filter((line) => line !== '');
  const all = new Set([...lines(printed.ipvs), ...printed.addresses]);
  for (const line of lines(printed.sets))
    if (line.startsWith('add KUBE-')) all.add(line.split(' ').slice(0, 3).join(' '));
  for (const line of lines(printed.rules)) {
    const chain = /^-A KUBE-(\S+)/.exec(line)?.[1] ?? '';
    const set = /--match-set (\S+)/.exec(line)?.[1] ?? '';
    if (set !== '' && chain !== 'IPVS-FILTER' && !isAlwaysMatched(set))
      all.add(`rules match on ${set}`);
    const after = (option: string) => new RegExp(` --${option} ([^ /]+)`).exec(line)?.[1] ?? '';
    if (line.includes(' --vaddr '))
      all.add(
        `rules keep the node from ${after('vaddr')},${protocolNames[after('vproto')]}:${after('vport')}`,
      );
  }
  return [...all].sort();
}

/** As iptables saves protocols in matches of IPVS. */
const protocolNames: Readonly<Record<string, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

function setName(set: string, family: Family): string {
  return family === 'IPv4' ? `KUBE-${set}` : `KUBE-6-${set}`.slice(0, 31);
}

function hostPort(address: IpAddress, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function familyOf(address: IpAddress): Family {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}
