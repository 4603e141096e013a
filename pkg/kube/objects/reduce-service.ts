import { type Family, families, type IpAddress } from '../../ip/address.ts';
import { type Prefix, parsePrefix } from '../../ip/prefix.ts';
import type { Protocol } from '../../ip/protocol.ts';
import { objectKey } from '../object-key.ts';
import type { ObjectName, Service, ServicePortSpec } from '../types.ts';
import { type Fields, type Item, quoted } from './fields.ts';
import { annotationPrefix } from './names.ts';
import { compact, type Pool } from './pool.ts';
import { portProtocol } from './reduce-slice.ts';
import { serviceAddress } from './service-address.ts';

/** The default of the API for `sessionAffinity: ClientIP`, in seconds. */
const defaultAffinity = 10_800;
const portRange = { min: 1, max: 65535 };

/** Reads a Service from a JSON object; `unusable` if it has no spec. */
export function reduceService(
  fields: Fields,
  { name: { namespace, name }, pool }: { name: ObjectName; pool: Pool },
): Service | 'unusable' {
  const spec = fields.object('spec');
  if (spec === undefined) {
    if (!fields.has('spec')) fields.problem('spec', 'is missing');
    return 'unusable';
  }
  const metadata = fields.object('metadata');
  const type = spec.word('type', ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']);
  return {
    namespace,
    name,
    key: pool.text(objectKey({ namespace, name })),
    uid: metadata?.string('uid') ?? '',
    created: creationTime(metadata),
    type,
    clusterIPs: compact(type === 'ExternalName' ? [] : clusterIPs(spec)),
    ports: pool.servicePorts(ports(spec)),
    affinitySeconds: affinitySeconds(spec),
    externalIPs: compact(addresses(spec, spec.strings('externalIPs'))),
    loadBalancerIPs: compact(loadBalancerIPs(fields)),
    sourceRanges: compact(sourceRanges(spec)),
    externalTrafficPolicy: spec.word('externalTrafficPolicy', ['Cluster', 'Local']),
    internalTrafficPolicy: spec.word('internalTrafficPolicy', ['Cluster', 'Local']),
    healthCheckNodePort: optionalPort(spec, 'healthCheckNodePort') ?? 0,
    annotations: annotations(metadata),
  };
}

/** The date of Kubernetes' first commit. No Service is older. */
const firstCommit = Date.UTC(2014, 5, 6);

/** The creation time; 0 if it is missing or impossible, so that an invalid one does not win a conflict as the oldest. */
function creationTime(metadata: Fields | undefined): number {
  const time = metadata?.time('creationTimestamp');
  if (time === undefined || time >= firstCommit) return time ?? 0;
  const text = new Date(time).toISOString();
  metadata?.problem('creationTimestamp', `${text} is before there was Kubernetes`);
  return 0;
}

/** The cluster IPs of the Service's families. Without `ipFamilies`, the one `clusterIP` counts, whatever its family. */
function clusterIPs(spec: Fields): IpAddress[] {
  const list = spec.strings('clusterIPs');
  const single = spec.has('clusterIP')
    ? { value: spec.string('clusterIP'), path: 'spec.clusterIP' }
    : list[0];
  if (single === undefined || single.value === '' || single.value === 'None') return [];
  const wanted = spec.strings('ipFamilies');
  if (wanted.length === 0) return addresses(spec, [single]);
  return addressPerFamily(spec, { wanted, list: list.length === 0 ? [single] : list });
}

function addressPerFamily(
  spec: Fields,
  { wanted, list }: { wanted: readonly Item[]; list: readonly Item[] },
): IpAddress[] {
  const chosen = new Map<Family, IpAddress>();
  for (const [index, { value: word }] of wanted.entries()) {
    const field = `ipFamilies[${index}]`;
    const family = families.find((candidate) => candidate === word);
    const text = list[index]?.value ?? '';
    if (family === undefined)
      spec.problem(field, `${quoted(word)} is none of ${families.join(', ')}`);
    else if (chosen.has(family)) spec.problem(field, `${family} stands there twice`);
    else if (text !== '') {
      const { address, problem } = serviceAddress(text, family);
      if (address !== undefined) chosen.set(family, address);
      else spec.problem(`clusterIPs[${index}]`, problem);
    }
  }
  return [...chosen.values()];
}

function addresses(spec: Fields, items: readonly Item[]): IpAddress[] {
  const result = new Set<IpAddress>();
  for (const { value, path } of items) {
    const { address, problem } = serviceAddress(value);
    if (address !== undefined) result.add(address);
    else if (value !== '') spec.problemAt(path, problem);
  }
  return [...result];
}

/** The indexes in `spec.ports` of the first port with a name, or with a number of a protocol. */
interface FirstPlaces {
  readonly ofName: Map<string, number>;
  readonly ofNumber: number[];
}

/** The valid ports. One with the name or number of an earlier port is left out. */
function ports(spec: Fields): ServicePortSpec[] {
  const places = new Map<Protocol, FirstPlaces>();
  const found: ServicePortSpec[] = [];
  for (const port of spec.objects('ports')) {
    const reduced = servicePort(port);
    if (reduced === undefined) continue;
    const { name, port: number, protocol } = reduced;
    const { ofName, ofNumber } = placesOf(places, protocol);
    const sameName = ofName.get(name);
    const first = sameName ?? ofNumber[number];
    if (first !== undefined) {
      const what = sameName === undefined ? `port ${number}` : `name ${quoted(name)}`;
      port.problem('', `${what}/${protocol} is already that of spec.ports[${first}]`);
      continue;
    }
    ofName.set(name, port.index);
    ofNumber[number] = port.index;
    found.push(reduced);
  }
  return found;
}

function placesOf(places: Map<Protocol, FirstPlaces>, protocol: Protocol): FirstPlaces {
  let ofProtocol = places.get(protocol);
  if (ofProtocol === undefined) {
    ofProtocol = { ofName: new Map(), ofNumber: [] };
    places.set(protocol, ofProtocol);
  }
  return ofProtocol;
}

function servicePort(port: Fields): ServicePortSpec | undefined {
  const protocol = portProtocol(port);
  const number = port.integer('port', portRange);
  if (!port.has('port')) port.problem('port', 'is missing');
  const nodePort = optionalPort(port, 'nodePort');
  if (number === undefined || protocol === undefined) return undefined;
  return { name: port.string('name'), protocol, port: number, nodePort: nodePort ?? 0 };
}

/** A port number that may be absent or 0. */
function optionalPort(fields: Fields, name: string): number | undefined {
  return fields.integer(name, { min: 0, max: 65535 });
}

function affinitySeconds(spec: Fields): number {
  if (spec.word('sessionAffinity', ['None', 'ClientIP']) === 'None') return 0;
  const clientIP = spec.object('sessionAffinityConfig')?.object('clientIP');
  return clientIP?.integer('timeoutSeconds', { min: 1, max: 86_400 }) ?? defaultAffinity;
}

function loadBalancerIPs(fields: Fields): IpAddress[] {
  const result = new Set<IpAddress>();
  for (const ingress of fields.object('status')?.object('loadBalancer')?.objects('ingress') ?? []) {
    const text = ingress.string('ip');
    if (text === '' || ingress.word('ipMode', ['VIP', 'Proxy']) === 'Proxy') continue;
    const { address, problem } = serviceAddress(text);
    if (address !== undefined) result.add(address);
    else ingress.problem('ip', problem);
  }
  return [...result];
}

function sourceRanges(spec: Fields): Prefix[] {
  const result = new Map<string, Prefix>();
  for (const { value, path } of spec.strings('loadBalancerSourceRanges')) {
    const network = parsePrefix(value.trim());
    if (network === undefined) spec.problemAt(path, `${quoted(value)} is not a network`);
    else result.set(`${network.address}/${network.length}`, network);
  }
  return [...result.values()];
}

const noAnnotations: Readonly<Record<string, string>> = Object.freeze({});

function annotations(metadata: Fields | undefined): Readonly<Record<string, string>> {
  const all = metadata?.object('annotations');
  const ours = all?.names().filter((name) => name.startsWith(annotationPrefix)) ?? [];
  if (all === undefined || ours.length === 0) return noAnnotations;
  return Object.fromEntries(
    ours.map((name) => [name.slice(annotationPrefix.length), all.string(name)]),
  );
}
