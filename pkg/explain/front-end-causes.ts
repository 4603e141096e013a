import { familyOf } from '../ip/address.ts';
import { entryKey } from '../ipset/ipset.ts';
import { virtualServerKey } from '../ipvs/ipvs.ts';
import type { Service } from '../kube/types.ts';
import { deviceName } from '../proxy/desired/device.ts';
import { type SetId, setIds, setName } from '../proxy/desired/sets.ts';
import { type Cause, destinationOf, type Facts } from './cause.ts';
import { localRoute } from './node-state.ts';

/** The causes in what the kernel has of the destination: its address, virtual server, real servers and set entries. */
export function frontEndCauses(facts: Facts): readonly Cause[] {
  return [
    ...notBalanced(facts),
    ...noRealServer(facts),
    ...addressElsewhere(facts),
    ...entryMissing(facts),
  ];
}

function notBalanced(facts: Facts): readonly Cause[] {
  const { packet, state, trace, virtualServer } = facts;
  if (trace.verdict.kind !== 'forwarded' && trace.verdict.kind !== 'node') return [];
  const isTranslated = trace.steps.some(
    (step) => step.kind === 'rule' && step.rule.target.target === 'DNAT',
  );
  if (isTranslated) {
    const text = 'a rule translates its destination before IPVS sees it';
    return [{ kind: 'foreign-rule', text, cuts: 'traced' }];
  }
  const destination = destinationOf(packet);
  if (virtualServer !== undefined && !state.kernel.addresses.has(packet.destination)) {
    const text = `${packet.destination} is on no device of this node, so that packets to it pass the virtual server ${destination} by`;
    return [{ kind: 'address-missing', text, cuts: 'traced' }];
  }
  const key = virtualServerKey({ ...packet, address: packet.destination });
  const owner = facts.desired?.state.ledger.lastOwner(key)?.key;
  const whose = owner === undefined ? '' : `, which Service ${owner} should have`;
  const why = state.hasIpvs ? '' : ': IPVS is not loaded in this kernel';
  const text = `no virtual server has ${destination}${whose}${why}`;
  return [{ kind: 'no-virtual-server', text, cuts: 'traced' }];
}

function noRealServer(facts: Facts): readonly Cause[] {
  const { trace, packet } = facts;
  const { verdict } = trace;
  if (verdict.kind !== 'refused') return [];
  const ofObjects = endpointCauses(facts);
  const { draining } = verdict.balancing;
  const name = destinationOf(packet);
  if (draining.length > 0) {
    const text = `all ${draining.length} real servers of ${name} have weight 0: they drain and take no new connections`;
    return [{ kind: 'only-draining', text, cuts: 'traced' }, ...ofObjects];
  }
  if (ofObjects.length > 0) return ofObjects;
  const text = `the virtual server ${name} has no real server: no endpoint is ready, or none that its policy allows`;
  return [{ kind: 'no-real-server', text, cuts: 'traced' }];
}

/** What the endpoints of the Service say about a lack of real servers. */
function endpointCauses({ packet, desired }: Facts): readonly Cause[] {
  if (desired === undefined) return [];
  const { ledger, objects, nodeName } = desired.state;
  const key = virtualServerKey({ ...packet, address: packet.destination });
  const frontEnd = ledger.frontEnd(key);
  const owner = ledger.lastOwner(key);
  if (frontEnd === undefined || owner === undefined) return [];
  if (frontEnd.realServers.values().length > 0) return [];
  const family = familyOf(packet.destination);
  const all = objects
    .slicesOf(owner.key)
    .filter((slice) => slice.family === family)
    .flatMap(({ endpoints }) => endpoints);
  const ready = all.filter((endpoint) => endpoint.ready);
  if (ready.length === 0) {
    const text = `Service ${owner.key} has ${all.length} ${family} endpoints and none is ready`;
    return [{ kind: 'no-endpoint-ready', text, cuts: 'traced' }];
  }
  if (ready.some((endpoint) => endpoint.nodeName === nodeName)) return [];
  const policy = policyOf(objects.service(owner.key), frontEnd.addressKind === 'allocated');
  const text = `${policy} of Service ${owner.key} is Local, and none of its ${ready.length} ready endpoints is on this node`;
  return [{ kind: 'no-local-endpoint', text, cuts: 'traced' }];
}

function policyOf(service: Service | undefined, isAllocated: boolean): string {
  return isAllocated && service?.internalTrafficPolicy === 'Local'
    ? 'internalTrafficPolicy'
    : 'externalTrafficPolicy';
}

/** An address of a Service that another device has than the one for them. */
function addressElsewhere({ packet, state, virtualServer }: Facts): readonly Cause[] {
  const { destination } = packet;
  const link = state.kernel.addresses.get(destination);
  if (virtualServer === undefined || link === undefined) return [];
  if (link === deviceName || link === localRoute) return [];
  const bound = state.kernel.sets.get(setName('ipvsIps', familyOf(destination)));
  const isOfService = bound !== undefined && bound !== 'unreadable' && bound.keys.has(destination);
  if (!isOfService && !isInSet(state, { packet, ids: ['clusterIp'] })) return [];
  const text = `${destination} is on ${link}, and should be on ${deviceName} alone: the device may answer for it to its neighbours`;
  return [{ kind: 'address-elsewhere', text, cuts: 'none' }];
}

/** Sets of which each bound front end is in at least one. */
const frontEndSets: readonly SetId[] = [
  'clusterIp',
  'externalIp',
  'externalIpLocal',
  'loadBalancer',
];

/** A virtual server of ours that no set has: its packets are neither marked nor let in as they should be. */
function entryMissing({ packet, state, virtualServer, desired, trace }: Facts): readonly Cause[] {
  const { destination } = packet;
  // Where what should be there is known, the differences say it.
  if (virtualServer === undefined || desired !== undefined || trace.verdict.kind !== 'balanced')
    return [];
  if (state.kernel.addresses.get(destination) !== deviceName) return [];
  const family = familyOf(destination);
  if (!setIds.some((id) => state.kernel.sets.has(setName(id, family)))) return [];
  if (isInSet(state, { packet, ids: frontEndSets })) return [];
  const text = `no set of kube-proxy has ${destinationOf(packet)}, so that its rules do not masquerade for it`;
  return [{ kind: 'set-entry-missing', text, cuts: 'direct' }];
}

/** Whether one of the sets has the destination; true for one that cannot be read. */
function isInSet(
  { kernel }: Facts['state'],
  { packet, ids }: { packet: Facts['packet']; ids: readonly SetId[] },
): boolean {
  const { destination: ip, protocol, port } = packet;
  const key = entryKey({ type: 'hash:ip,port', ip, protocol, port });
  return ids.some((id) => {
    const set = kernel.sets.get(setName(id, familyOf(ip)));
    return set === 'unreadable' || set?.keys.has(key) === true;
  });
}
