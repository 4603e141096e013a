import {
  addressBytes,
  addressFromBytes,
  type Family,
  familyOf,
  type IpAddress,
  parseAddress,
} from '../../pkg/ip/address.ts';
import { type Prefix, prefixFamily } from '../../pkg/ip/prefix.ts';
import {
  isRecord,
  type Json,
  type KubeObject,
  listAt,
  recordAt,
  recordsAt,
  textAt,
} from './objects.ts';
import type { Cause } from './status.ts';
import { objectOf, type Store } from './store.ts';

/** From where cluster IPs and node ports are taken. */
export interface Ranges {
  /** One network, or one of each family; the first names the default family. */
  readonly clusterIPs: readonly Prefix[];
  readonly nodePorts: { readonly first: number; readonly last: number };
}

/**
 * Gives Services their cluster IPs and node ports, lowest free one first after the last that was given. What
 * is taken is read off the stored Services, so nothing leaks.
 */
export class Allocator {
  readonly ranges: Ranges;
  /** What is taken, and by how many Services: with validation off there may be several. */
  readonly #taken = new Map<string, number>();
  readonly #lastGiven = new Map<string, bigint>();

  constructor(ranges: Ranges, store: Store) {
    this.ranges = ranges;
    this.reload(store);
    store.subscribe(({ type, previous, current }) => {
      if (current.storage !== 'services') return;
      if (previous !== undefined) this.#count(objectOf(previous), -1);
      if (type !== 'DELETED') this.#count(objectOf(current), 1);
    });
  }

  /** Reads off anew what is taken, after a backup was restored. */
  reload(store: Store): void {
    this.#taken.clear();
    for (const stored of store.list('services')) this.#count(objectOf(stored), 1);
  }

  /** Fills in what the Service lacks, keeps what it had before, and returns what is wrong with what it asks for. */
  allocate(service: KubeObject, previous?: KubeObject): Cause[] {
    const spec = service['spec'];
    if (!isRecord(spec)) return [];
    const had = recordAt(previous, 'spec');
    const own = new Set(previous === undefined ? [] : takenBy(previous));
    if (previous !== undefined) keepAllocated(spec, had);
    if (spec['type'] === 'ExternalName') return [];
    return [...this.#allocateClusterIPs(spec, own), ...this.#allocateNodePorts(spec, own)];
  }

  #allocateClusterIPs(spec: Json, own: ReadonlySet<string>): Cause[] {
    const given = [
      ...new Set([textAt(spec, 'clusterIP'), ...listAt(spec, 'clusterIPs').map(String)]),
    ].filter(Boolean);
    if (given.includes('None')) {
      Object.assign(spec, { clusterIP: 'None', clusterIPs: ['None'] }, this.#familiesOf(spec, []));
      return [];
    }
    const policy = this.#familiesOf(spec, given);
    const causes = given.filter((ip) => !own.has(ip) && this.#taken.has(ip)).map(alreadyTaken);
    if (policy.ipFamilyPolicy === 'RequireDualStack' && policy.ipFamilies.length < 2) {
      const message =
        'Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services';
      causes.push({ reason: 'FieldValueInvalid', field: 'spec.ipFamilyPolicy', message });
    }
    const clusterIPs = policy.ipFamilies.map(
      (family, index) =>
        given[index] ??
        this.#next(this.ranges.clusterIPs.find((range) => prefixFamily(range) === family)),
    );
    Object.assign(spec, { clusterIP: clusterIPs[0], clusterIPs }, policy);
    return causes;
  }

  /** `ipFamilies` and `ipFamilyPolicy`, from the addresses, the policy and the families asked for. */
  #familiesOf(
    spec: Json,
    given: readonly string[],
  ): { ipFamilies: Family[]; ipFamilyPolicy: string } {
    const served = this.ranges.clusterIPs.map(prefixFamily);
    const ofGiven = given.map((ip) => familyOf((parseAddress(ip) ?? ip) as IpAddress)); // only looks for colons
    const asked = listAt(spec, 'ipFamilies').filter(
      (family) => family === 'IPv4' || family === 'IPv6',
    );
    const isDual = ofGiven.length > 1 || asked.length > 1;
    const ipFamilyPolicy =
      textAt(spec, 'ipFamilyPolicy') || (isDual ? 'RequireDualStack' : 'SingleStack');
    const wanted = [...new Set([...ofGiven, ...asked, ...served])];
    const count = ipFamilyPolicy === 'SingleStack' ? 1 : 2;
    // A headless Service may have a family for which there is no range; an address cannot come from nowhere.
    const possible = wanted.filter(
      (family, index) => index < ofGiven.length || served.includes(family),
    );
    return { ipFamilies: possible.slice(0, count), ipFamilyPolicy };
  }

  #allocateNodePorts(spec: Json, own: ReadonlySet<string>): Cause[] {
    const isBalanced = spec['type'] === 'LoadBalancer';
    const wantsNodePorts =
      spec['type'] === 'NodePort' ||
      (isBalanced && spec['allocateLoadBalancerNodePorts'] !== false);
    const causes: Cause[] = [];
    const given = new Set<string>();
    for (const [index, port] of recordsAt(spec, 'ports').entries()) {
      const nodePort = Number(port['nodePort'] ?? 0);
      if (nodePort === 0) {
        if (wantsNodePorts) port['nodePort'] = this.#nextPort(given, textAt(port, 'protocol'));
        continue;
      }
      const key = portKey(port);
      if (!own.has(key) && this.#taken.has(key))
        causes.push(portTaken(`spec.ports[${index}].nodePort`, nodePort));
      given.add(key);
    }
    if (isBalanced && spec['externalTrafficPolicy'] === 'Local')
      spec['healthCheckNodePort'] ||= this.#nextPort(given, 'TCP');
    return causes;
  }

  #nextPort(given: Set<string>, protocol: string): number {
    const { first, last } = this.ranges.nodePorts;
    const free = this.#search('ports', BigInt(last - first + 1), (offset) => {
      const key = portKey({ nodePort: first + Number(offset), protocol });
      return !this.#taken.has(key) && !given.has(key);
    });
    const nodePort = first + Number(free ?? 0n);
    given.add(portKey({ nodePort, protocol }));
    return nodePort;
  }

  #next(range: Prefix | undefined): string | undefined {
    if (range === undefined) return undefined;
    const bits = prefixFamily(range) === 'IPv4' ? 32 : 128;
    const base = toNumber(range.address);
    // The first address names the network, the second is kept for default/kubernetes, the last is the broadcast.
    const free = this.#search(range.address, 1n << BigInt(bits - range.length), (offset, size) => {
      return offset > 1n && offset < size - 1n && !this.#taken.has(toAddress(base + offset, bits));
    });
    return free === undefined ? undefined : toAddress(base + free, bits);
  }

  #search(
    name: string,
    size: bigint,
    isFree: (offset: bigint, size: bigint) => boolean,
  ): bigint | undefined {
    const start = (this.#lastGiven.get(name) ?? -1n) + 1n;
    for (let tried = 0n; tried < size; tried++) {
      const offset = (start + tried) % size;
      if (!isFree(offset, size)) continue;
      this.#lastGiven.set(name, offset);
      return offset;
    }
    return undefined;
  }

  #count(service: KubeObject, difference: 1 | -1): void {
    for (const key of takenBy(service)) {
      const count = (this.#taken.get(key) ?? 0) + difference;
      if (count > 0) this.#taken.set(key, count);
      else this.#taken.delete(key);
    }
  }
}

/** A replaced Service that does not mention its addresses and node ports keeps them, unless its new type has none. */
function keepAllocated(spec: Json, had: Json): void {
  const type = spec['type'];
  if (type === 'ExternalName') {
    for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy']) {
      if (isUnchanged(spec[field], had[field])) delete spec[field];
    }
  } else if (had['type'] !== 'ExternalName' && had['clusterIP'] !== 'None') {
    for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'])
      spec[field] ??= had[field];
  }
  const hasNodePorts = type === 'NodePort' || type === 'LoadBalancer';
  for (const port of recordsAt(spec, 'ports')) {
    const before = recordsAt(had, 'ports').find((other) => portOf(other) === portOf(port));
    if (hasNodePorts) port['nodePort'] ||= before?.['nodePort'];
    else if (port['nodePort'] === before?.['nodePort']) delete port['nodePort'];
  }
  const isChecked = type === 'LoadBalancer' && spec['externalTrafficPolicy'] === 'Local';
  if (isChecked) spec['healthCheckNodePort'] ||= had['healthCheckNodePort'];
  else if (spec['healthCheckNodePort'] === had['healthCheckNodePort'])
    delete spec['healthCheckNodePort'];
  if (!hasNodePorts && spec['externalTrafficPolicy'] === had['externalTrafficPolicy'])
    delete spec['externalTrafficPolicy'];
}

function isUnchanged(now: unknown, before: unknown): boolean {
  return JSON.stringify(now) === JSON.stringify(before);
}

/** What a Service takes: its addresses, and its node ports by protocol. */
function takenBy(service: KubeObject): string[] {
  const ips = listAt(service, 'spec.clusterIPs').filter(
    (ip) => typeof ip === 'string' && ip !== 'None',
  );
  const ports = recordsAt(service, 'spec.ports').filter(
    (port) => Number(port['nodePort'] ?? 0) > 0,
  );
  const check = Number(recordAt(service, 'spec')['healthCheckNodePort'] ?? 0);
  const checks = check > 0 ? [portKey({ nodePort: check, protocol: 'TCP' })] : [];
  return [...ips.map(String), ...ports.map(portKey), ...checks];
}

function portKey(port: Json): string {
  return `${textAt(port, 'nodePort')}/${textAt(port, 'protocol')}`;
}

function portOf(port: Json): string {
  return `${textAt(port, 'port')}/${textAt(port, 'protocol')}`;
}

function alreadyTaken(ip: string): Cause {
  const message = `Invalid value: ["${ip}"]: failed to allocate IP ${ip}: provided IP is already allocated`;
  return { reason: 'FieldValueInvalid', field: 'spec.clusterIPs', message };
}

function portTaken(field: string, port: number): Cause {
  return {
    reason: 'FieldValueInvalid',
    field,
    message: `Invalid value: ${port}: provided port is already allocated`,
  };
}

function toNumber(address: IpAddress): bigint {
  return addressBytes(address).reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
}

function toAddress(number: bigint, bits: 32 | 128): IpAddress {
  const bytes = new Uint8Array(bits / 8);
  for (let at = bytes.length - 1, rest = number; at >= 0; at--, rest >>= 8n)
    bytes[at] = Number(rest & 0xffn);
  return addressFromBytes(bytes);
}
