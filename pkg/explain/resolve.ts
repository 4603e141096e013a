import { type Family, familyOf, type IpAddress, isLoopback, loopback } from '../ip/address.ts';
import type { Protocol } from '../ip/protocol.ts';
import { objectKey } from '../kube/object-key.ts';
import type { Service } from '../kube/types.ts';
import { deviceName } from '../proxy/desired/device.ts';
import type { Packet, PacketOrigin } from '../trace/packet.ts';
import { ExplainError } from './explain-error.ts';
import type { NameSource } from './names.ts';
import type { From, Question, To } from './question.ts';
import type { NodeBasics } from './read-node.ts';

/** A question as a packet. */
export interface Resolved {
  readonly packet: Packet;
  /** What is assumed of the packet because the question does not say it. */
  readonly assumptions: readonly string[];
}

interface Destination {
  readonly address: IpAddress;
  readonly port: number;
  readonly protocol: Protocol;
}

/** A sender: its addresses, and whether it is the node itself. */
interface Sender {
  readonly addresses: readonly IpAddress[];
  readonly isNode: boolean;
}

/** Turns a question into the packet that it is about. Throws an ExplainError if it cannot, and what the sources throw. */
export async function resolve(
  question: Question,
  { basics, names }: { readonly basics: NodeBasics; readonly names: NameSource | undefined },
): Promise<Resolved> {
  const context = { basics, names, assumptions: [] as string[] };
  const sender = await senderOf(question.from, context);
  const families = sender.isNode
    ? (['IPv4', 'IPv6'] as const)
    : [...new Set(sender.addresses.map(familyOf))];
  const { address, port, protocol } = await destinationOf(question.to, { ...context, families });
  const source = sourceOf(sender, { ...context, address });
  const origin = originOf(sender, { ...context, source, question });
  const { sourcePort } = question;
  return {
    packet: {
      protocol,
      source,
      destination: address,
      port,
      origin,
      ...(sourcePort !== undefined && { sourcePort }),
    },
    assumptions: context.assumptions,
  };
}

interface Context {
  readonly basics: NodeBasics;
  readonly names: NameSource | undefined;
  readonly assumptions: string[];
}

async function senderOf(from: From, { basics, names }: Context): Promise<Sender> {
  const isOfNode = (address: IpAddress) =>
    isLoopback(address) || basics.addresses.some((one) => one.address === address);
  switch (from.kind) {
    case 'node':
      if (from.address !== undefined && !isOfNode(from.address))
        throw new ExplainError(`${from.address} is no address of this node`);
      return { addresses: from.address === undefined ? [] : [from.address], isNode: true };
    case 'outside':
      if (isOfNode(from.address))
        throw new ExplainError(
          `${from.address} is an address of this node: ask with node=${from.address}`,
        );
      return { addresses: [from.address], isNode: false };
    case 'address':
      return { addresses: [from.address], isNode: isOfNode(from.address) };
    case 'pod': {
      const name = `pod ${from.namespace}/${from.name}`;
      const place = await named(names, name).pod(from);
      if (place === undefined) throw new ExplainError(`there is no ${name}`);
      if (place.addresses.length === 0) throw new ExplainError(`${name} has no address yet`);
      const isNode = place.isHostNetwork && place.addresses.some(isOfNode);
      return { addresses: place.addresses, isNode };
    }
  }
}

function named(names: NameSource | undefined, what: string): NameSource {
  if (names !== undefined) return names;
  throw new ExplainError(
    `${what} is a name, and there is nothing to ask for it: give --kubeconfig, --config or an address`,
  );
}

async function destinationOf(
  to: To,
  context: Context & { readonly families: readonly Family[] },
): Promise<Destination> {
  const { families, basics } = context;
  switch (to.kind) {
    case 'address':
      if (!families.includes(familyOf(to.address)))
        throw new ExplainError(
          `the sender has no ${familyOf(to.address)} address to reach ${to.address} from`,
        );
      return to;
    case 'node':
      return { ...to, address: await nodeAddress(to, context) };
    case 'service': {
      const objects = await named(context.names, `svc/${to.namespace}/${to.name}`).objects();
      const service = objects.service(objectKey(to));
      if (service === undefined)
        throw new ExplainError(
          `there is no Service ${to.namespace}/${to.name}, or one that kube-proxy leaves alone`,
        );
      return frontEndOf(service, { to, families, basics });
    }
  }
}

function frontEndOf(
  { clusterIPs, ports, namespace, name, type }: Service,
  {
    to,
    families,
  }: { to: Extract<To, { kind: 'service' }>; families: readonly Family[]; basics: NodeBasics },
): Destination {
  const known = ports.find((port) => port.name === to.port || String(port.port) === to.port);
  if (known === undefined) {
    const all = ports.map((port) => (port.name === '' ? String(port.port) : port.name)).join(', ');
    throw new ExplainError(
      `Service ${namespace}/${name} has no port ${to.port}: it has ${all.slice(0, 200) || 'none'}`,
    );
  }
  const address = clusterIPs.find((one) => families.includes(familyOf(one)));
  if (address !== undefined) return { address, port: known.port, protocol: known.protocol };
  const lack =
    clusterIPs.length === 0 ? `no cluster IP (${type})` : `no ${families.join(' or ')} cluster IP`;
  throw new ExplainError(
    `Service ${namespace}/${name} has ${lack}: kube-proxy does nothing for it here`,
  );
}

/** The node's own address: what the Node has, else one with a virtual server at the port, else the first. */
async function nodeAddress(
  { port, protocol }: Extract<To, { kind: 'node' }>,
  { families, basics, names, assumptions }: Context & { readonly families: readonly Family[] },
): Promise<IpAddress> {
  const usable = basics.nodeAddresses.filter((address) => families.includes(familyOf(address)));
  const [first] = usable;
  if (first === undefined)
    throw new ExplainError(`this node has no ${families.join(' or ')} address`);
  const ofNode = names === undefined ? undefined : (await names.objects()).node?.addresses;
  const served = (address: IpAddress) =>
    basics.virtualServers.some(
      (one) => one.address === address && one.port === port && one.protocol === protocol,
    );
  const chosen =
    ofNode?.find((address) => usable.includes(address)) ?? usable.find(served) ?? first;
  if (usable.length > 1)
    assumptions.push(`of the node's ${usable.length} addresses ${chosen} is taken`);
  return chosen;
}

/** To an address of its own the node sends from that address. */
function sourceOf(
  { addresses, isNode }: Sender,
  { basics, address }: Context & { readonly address: IpAddress },
): IpAddress {
  const given = addresses.find((one) => familyOf(one) === familyOf(address));
  if (given !== undefined) return given;
  if (!isNode) throw new ExplainError(`the sender has no ${familyOf(address)} address`);
  if (basics.addresses.some((one) => one.address === address)) return address;
  if (isLoopback(address)) return loopback(familyOf(address));
  const route = basics.route(address);
  if (route.kind === 'device' && route.source !== undefined) return route.source;
  const first = basics.nodeAddresses.find((one) => familyOf(one) === familyOf(address));
  if (first === undefined) throw new ExplainError(`this node has no ${familyOf(address)} address`);
  return first;
}

/** The device that the packet comes in by: the given one, or that of the route to its source. */
function originOf(
  { isNode }: Sender,
  {
    basics,
    source,
    question,
    assumptions,
  }: Context & { readonly source: IpAddress; readonly question: Question },
): PacketOrigin {
  const { device } = question;
  if (isNode) {
    if (device !== undefined)
      throw new ExplainError('a packet of the node itself comes in by no device');
    return { kind: 'node' };
  }
  if (device !== undefined) return { kind: 'device', name: device };
  const route = basics.route(source);
  const name = route.kind === 'device' ? route.device : undefined;
  if (name === undefined || name === deviceName)
    throw new ExplainError(
      `there is no one device that the route to ${source} names: say with --in which one the packet comes in by`,
    );
  assumptions.push(`it comes in by ${name}, the device of the route to ${source}`);
  return { kind: 'device', name };
}
