import {
  balancingRules,
  type ChainedRules,
  clusterIpRule,
  filterTable,
  natTable,
  outsideRule,
} from '../../support/modes/iptables-rules.ts';
import { chainId, clusterNetworks } from '../../support/modes/mode-service.ts';
import { type ClusterPort, ports } from './cluster.ts';

/**
 * What upstream's iptables mode gives to `iptables-restore --noflush`: all of `KUBE-SERVICES` each time, and the chains of those
 * Services that changed since the last time (all of them at the start).
 */
export function restoreInput(
  all: readonly ClusterPort[],
  changed: readonly ClusterPort[] = all,
): string {
  const chained = changed.map(serviceChains);
  const lines = [
    ...filterTable([]),
    ...natTable({
      chains: chained.flatMap(({ chains }) => chains),
      rules: [...all.map(leadingRule), ...chained.flatMap(({ rules }) => rules)],
    }),
  ];
  return `${lines.join('\n')}\n`;
}

function leadingRule(port: ClusterPort): string {
  return clusterIpRule(port.name, { at: match(port), chain: serviceChain(port) });
}

function serviceChains(port: ClusterPort): ChainedRules {
  const chain = serviceChain(port);
  const balanced = balancingRules({
    name: port.name,
    protocol: 'tcp',
    balancing: chain,
    affinitySeconds: 0,
    endpoints: port.endpoints.map((address) => ({
      chain: `KUBE-SEP-${chainId(port.name, address)}`,
      route: `${address}/32`,
      target: `${address}:${ports.pod}`,
    })),
  });
  return {
    chains: [chain, ...balanced.chains],
    rules: [
      outsideRule(port.name, { at: match(port), chain, pods: clusterNetworks.IPv4 }),
      ...balanced.rules,
    ],
  };
}

function serviceChain({ name }: ClusterPort): string {
  return `KUBE-SVC-${chainId(name)}`;
}

function match({ vip }: ClusterPort): string {
  return `-p tcp -d ${vip}/32 --dport ${ports.service}`;
}
