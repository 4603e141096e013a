import type { Match } from '../../firewall/firewall.ts';
import type { RejectedLoadBalancer } from './chain-options.ts';
import { type Context, fromOutside, type Placed, rule, vocabulary } from './rule-vocabulary.ts';
import type { SetId } from './sets.ts';

/** The filter table in write order. */
export function filterRules(context: Context): readonly Placed[] {
  const { whenSet, commented } = vocabulary(context);
  const { masqueradeMark: value, rejectedLoadBalancers = [] } = context;
  return [
    ...whenSet('noLocal', () => strangerRules(context)),
    ...whenSet('loadBalancerFw', (id) => [
      rule('KUBE-PROXY-FIREWALL', commented(id), 'KUBE-SOURCE-RANGES-FIREWALL'),
    ]),
    ...whenSet('loadBalancerSourceCidr', (id) => [
      rule('KUBE-SOURCE-RANGES-FIREWALL', commented(id), 'RETURN'),
    ]),
    ...whenSet('loadBalancerSourceIp', (id) => [
      rule('KUBE-SOURCE-RANGES-FIREWALL', commented(id), 'RETURN'),
    ]),
    rule('KUBE-SOURCE-RANGES-FIREWALL', [], 'DROP'),
    ...rejectedLoadBalancers.map(rejectRule),
    rule(
      'KUBE-FORWARD',
      [
        { match: 'comment', text: 'kubernetes forwarding rules' },
        { match: 'mark', value, mask: value },
      ],
      'ACCEPT',
    ),
    rule(
      'KUBE-FORWARD',
      [
        { match: 'comment', text: 'kubernetes forwarding conntrack rule' },
        { match: 'connectionState', states: ['RELATED', 'ESTABLISHED'] },
      ],
      'ACCEPT',
    ),
    rule('KUBE-NODE-PORT', commented('healthCheckNodePort'), 'ACCEPT'),
    ...accessFilterRules(context),
  ];
}

/** Drops packets from outside the cluster where only endpoints on other nodes serve: these would answer from a wrong address. */
function strangerRules(context: Context): readonly Placed[] {
  const { podDetector } = context;
  if (podDetector === undefined) return [];
  const matches: readonly Match[] = [
    vocabulary(context).set('noLocal'),
    { match: 'connectionState', states: ['NEW'] },
    ...fromOutside(podDetector),
  ];
  return [rule('KUBE-PROXY-FIREWALL', matches, 'DROP')];
}

/**
 * The source match says "this node" whatever source address its process chose; packets of clients pass OUTPUT
 * too on their way to a real server, and must not be dropped there.
 */
function rejectRule({ address, protocol, port }: RejectedLoadBalancer): Placed {
  return rule(
    'KUBE-IPVS-OUT-FILTER',
    [
      { match: 'sourceType', type: 'LOCAL' },
      { match: 'ipvs', address, protocol, port, direction: 'ORIGINAL' },
    ],
    'DROP',
  );
}

/**
 * Rejects packets to a VIP, or into a range of VIPs, on other ports than those of Services, so that processes of the node cannot be
 * reached through it.
 */
function accessFilterRules(context: Context): readonly Placed[] {
  const { set } = vocabulary(context);
  const { closedRanges = [] } = context;
  const services: readonly SetId[] = [
    'loadBalancer',
    'clusterIp',
    'externalIp',
    'externalIpLocal',
    'healthCheckNodePort',
  ];
  const isNew: Match = { match: 'connectionState', states: ['NEW'] };
  return [
    ...services.map((id) => rule('KUBE-IPVS-FILTER', [set(id)], 'RETURN')),
    rule('KUBE-IPVS-FILTER', [isNew, set('ipvsIps')], 'REJECT'),
    ...closedRanges.map((network) =>
      rule('KUBE-IPVS-FILTER', [{ match: 'destination', network }, isNew], 'REJECT'),
    ),
  ];
}
