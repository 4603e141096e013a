import { printHostPort } from '../ip/address.ts';
import { printRealServer } from '../ipvs/ipvs.ts';
import type { Cause, Facts } from './cause.ts';
import { reversePathFilter } from './read-node.ts';
import { isForwarding } from './ways.ts';

/** The causes in kernel settings and in entries of earlier packets. */
export function stateCauses(facts: Facts): readonly Cause[] {
  return [
    ...reversePath(facts),
    ...forwarding(facts),
    ...masquerading(facts),
    ...bridges(facts),
    ...hairpins(facts),
    ...staleEntries(facts),
    ...direct(facts),
  ];
}

/** A packet whose source has another way back than it came by is dropped before any rule; only IPv4 has the setting. */
function reversePath({ packet, state }: Facts): readonly Cause[] {
  const { origin, source } = packet;
  if (origin.kind === 'node' || source.includes(':')) return [];
  const route = state.routes.get(source);
  const paths = ['net/ipv4/conf/all/rp_filter', reversePathFilter(origin.name)];
  const mode = Math.max(...paths.map((path) => Number(state.settings.get(path) ?? 0)));
  if (route?.kind === 'none') {
    const text = `there is no route back to ${source}`;
    return [{ kind: mode > 0 ? 'reverse-path-filter' : 'way-back', text, cuts: 'all' }];
  }
  const back = route?.kind === 'device' ? route.device : undefined;
  if (mode !== 1 || back === undefined || back === origin.name) return [];
  const text = `rp_filter of ${origin.name} is strict, and the route back to ${source} is by ${back}: the kernel drops the packet before any rule`;
  return [{ kind: 'reverse-path-filter', text, cuts: 'all' }];
}

function forwarding({ packet, state, ways }: Facts): readonly Cause[] {
  if (packet.origin.kind === 'node' || isForwarding(state, packet.destination)) return [];
  if (!ways.some(({ choice }) => !choice.isOnNode)) return [];
  const text = 'forwarding is off on this node, so that no answer comes back through it';
  return [{ kind: 'forwarding-off', text, cuts: 'all' }];
}

function masquerading({ state, ways }: Facts): readonly Cause[] {
  if (state.settings.get('net/ipv4/vs/conntrack') !== '0') return [];
  if (!ways.some(({ choice }) => choice.masqueradedBy !== undefined)) return [];
  const text = 'net.ipv4.vs.conntrack is 0, so that nothing is masqueraded that IPVS balances';
  return [{ kind: 'no-masquerading', text, cuts: 'direct' }];
}

function bridges({ ways, state, packet }: Facts): readonly Cause[] {
  if (!ways.some(({ back }) => back === 'bridged')) return [];
  const route = state.routes.get(packet.source);
  const bridge = route?.kind === 'device' ? route.device : undefined;
  const text = `br_netfilter shows no packets of the bridge ${bridge} to the node, so that the answer of a pod on the same bridge goes to the client with the pod's own address`;
  return [{ kind: 'bridge-not-filtered', text, cuts: 'traced' }];
}

function hairpins({ ways }: Facts): readonly Cause[] {
  return ways
    .filter(({ choice, back }) => choice.isHairpin && back === 'direct')
    .map(({ choice }) => ({
      kind: 'way-back',
      text: `the real server ${printRealServer(choice.realServer)} is the client itself and is not masqueraded, so that it answers itself directly`,
      cuts: 'traced',
    }));
}

/** Entries decide for packets that belong to them: for UDP, and for a connection that is tried again. */
function staleEntries({ effects, packet }: Facts): readonly Cause[] {
  return effects.flatMap(({ kind, stale, state, sourcePort }) => {
    const isTried = packet.protocol === 'UDP' || state === 'SYN_SENT' || kind === 'persistence';
    if (stale === undefined || !(isTried || packet.sourcePort === sourcePort)) return [];
    const table = kind === 'conntrack' ? 'conntrack' : 'the connections of IPVS';
    const from = sourcePort === 0 ? 'the client' : printHostPort(packet.source, sourcePort);
    const text = `${table} has a stale entry for ${from}: ${stale}`;
    return [{ kind: 'stale-entry', text, cuts: 'existing' }];
  });
}

/** The way of an answer that this node does not decide. */
function direct({ ways }: Facts): readonly Cause[] {
  const past = ways.filter(({ choice, back }) => back === 'direct' && !choice.isHairpin);
  const [first] = past;
  if (first === undefined) return [];
  const who =
    past.length === 1 ? printRealServer(first.choice.realServer) : `${past.length} real servers`;
  const text = `${who} on other nodes see the client's own address: their answers reach it only if the network leads them back through this node`;
  return [{ kind: 'way-back', text, cuts: 'none' }];
}
