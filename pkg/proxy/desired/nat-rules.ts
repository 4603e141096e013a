import type { Match, Target } from '../../firewall/firewall.ts';
import { parsePrefix } from '../../ip/prefix.ts';
import type { Protocol } from '../../ip/protocol.ts';
import {
  type Context,
  fromOutside,
  notLocal,
  type Placed,
  rule,
  vocabulary,
} from './rule-vocabulary.ts';
import type { SetId } from './sets.ts';

/** The nat table in write order: only the order within a chain means anything to the kernel. */
export function natRules(context: Context): readonly Placed[] {
  const { set, whenSet, commented } = vocabulary(context);
  const notFromBridgeOrNode: readonly Match[] = [
    { match: 'physicalInput', not: true },
    { match: 'sourceType', type: 'LOCAL', not: true },
  ];
  const toNode: Match = { match: 'destinationType', type: 'LOCAL' };
  const external = (id: 'externalIp' | 'externalIpLocal') => [
    rule('KUBE-SERVICES', [...commented(id), ...notFromBridgeOrNode], 'ACCEPT'),
    rule('KUBE-SERVICES', [...commented(id), toNode], 'ACCEPT'),
  ];
  return [
    rule('KUBE-SERVICES', [fromLoopback(context)], 'RETURN'),
    ...whenSet('noLocal', () => noLocalRules(context)),
    ...whenSet('loopBack', (id) => [rule('KUBE-POSTROUTING', commented(id), masquerade(false))]),
    ...whenSet('loadBalancer', (id) => [
      rule('KUBE-SERVICES', commented(id), 'KUBE-LOAD-BALANCER'),
    ]),
    ...whenSet('loadBalancerLocal', (id) => [rule('KUBE-LOAD-BALANCER', commented(id), 'RETURN')]),
    ...nodePortRules(context),
    ...whenSet('clusterIp', () => [clusterIpRule(context)]),
    ...whenSet('externalIp', (id) => [
      rule('KUBE-SERVICES', commented(id), 'KUBE-MARK-MASQ'),
      ...external(id),
    ]),
    ...whenSet('externalIpLocal', external),
    rule('KUBE-SERVICES', [toNode], 'KUBE-NODE-PORT'),
    rule('KUBE-LOAD-BALANCER', [], 'KUBE-MARK-MASQ'),
    ...whenSet('clusterIp', (id) => [rule('KUBE-SERVICES', [set(id)], 'ACCEPT')]),
    ...whenSet('loadBalancer', (id) => [rule('KUBE-SERVICES', [set(id)], 'ACCEPT')]),
    ...masqueradeRules(context),
  ];
}

/**
 * Marks packets to a virtual server whose real servers are on other nodes; the mark stays, whatever later rules return. Packets from outside
 * the cluster are not marked: filter drops them, unless the entry goes in between. Then the local endpoint sees their own address.
 */
function noLocalRules(context: Context): readonly Placed[] {
  const { podDetector } = context;
  const set = vocabulary(context).set('noLocal');
  const mark = rule('KUBE-SERVICES', [set], 'KUBE-MARK-MASQ');
  if (podDetector === undefined) return [mark];
  return [rule('KUBE-SERVICES', [set, ...fromOutside(podDetector)], 'RETURN'), mark];
}

/** What masks a marked packet on its way out, and what marks one. */
function masqueradeRules({ masqueradeMark: value, randomFully }: Context): readonly Placed[] {
  const reason: Match = { match: 'comment', text: 'kubernetes service traffic requiring SNAT' };
  return [
    rule('KUBE-POSTROUTING', [{ match: 'mark', value, mask: value, not: true }], 'RETURN'),
    // Cleared, so that a packet that crosses the stack again (a tunnel) is not masqueraded twice.
    rule('KUBE-POSTROUTING', [], { target: 'MARK', operation: 'xor', value }),
    rule('KUBE-POSTROUTING', [reason], masquerade(randomFully)),
    rule('KUBE-MARK-MASQ', [], { target: 'MARK', operation: 'or', value }),
  ];
}

/** Per protocol: ports with a local policy are let go unmarked, the others marked. */
function nodePortRules(context: Context): readonly Placed[] {
  const { whenSet, commented } = vocabulary(context);
  const kinds: readonly [Protocol, local: SetId, any: SetId][] = [
    ['TCP', 'nodePortLocalTcp', 'nodePortTcp'],
    ['UDP', 'nodePortLocalUdp', 'nodePortUdp'],
    ['SCTP', 'nodePortLocalSctp', 'nodePortSctp'],
  ];
  return kinds.flatMap(([protocol, local, any]) => {
    const matches = (id: SetId): Match[] => [{ match: 'protocol', protocol }, ...commented(id)];
    return [
      ...whenSet(local, (id) => [rule('KUBE-NODE-PORT', matches(id), 'RETURN')]),
      ...whenSet(any, (id) => [rule('KUBE-NODE-PORT', matches(id), 'KUBE-MARK-MASQ')]),
    ];
  });
}

/** Which packets to cluster IPs are marked for masquerading. */
function clusterIpRule(context: Context): Placed {
  const { masqueradeAll, localDetector } = context;
  const { commented, comment, set } = vocabulary(context);
  const mark = (matches: readonly Match[]) => rule('KUBE-SERVICES', matches, 'KUBE-MARK-MASQ');
  if (masqueradeAll) return mark(commented('clusterIp'));
  // Without a detector: a process of the node, which takes the VIP on our device as its source address.
  if (!localDetector) return mark([comment('clusterIp'), set('clusterIp', ['src', 'dst'])]);
  return mark([...commented('clusterIp'), notLocal(localDetector)]);
}

function fromLoopback({ family }: Context): Match {
  const network = parsePrefix(family === 'IPv4' ? '127.0.0.0/8' : '::1/128');
  if (network === undefined) throw new Error('the loopback network is no network');
  return { match: 'source', network };
}

function masquerade(randomFully: boolean): Target {
  return { target: 'MASQUERADE', randomFully };
}
