import type { IpAddress } from '../../pkg/ip/address.ts';
import type { RealServer } from '../../pkg/ipvs/ipvs.ts';
import type { Packet } from '../../pkg/trace/packet.ts';
import { type KernelParts, type KernelState, kernelState } from '../../pkg/trace/state.ts';
import { trace } from '../../pkg/trace/trace.ts';
import { ip } from './addresses.ts';
import { virtualServerOf } from './virtual-server.ts';

// A node with one virtual server and rules that a test writes, for tests of the packet trace.

/** The address of {@link virtualServer}, on the dummy device. */
export const vip = ip('172.30.0.1');
/** The node's own address, on `eth0`. */
export const nodeAddress = ip('192.168.0.10');

/** TCP 172.30.0.1:80, round robin. */
export const virtualServer = virtualServerOf(vip);

/** A real server that is masqueraded to, port 8080, weight 1 unless said otherwise. */
export function realServer(address: IpAddress, over: Partial<RealServer> = {}): RealServer {
  const thresholds = { upperThreshold: 0, lowerThreshold: 0 };
  return { address, port: 8080, weight: 1, forwarding: 'masquerade', ...thresholds, ...over };
}

/** The real servers of {@link state} unless said otherwise. */
export const pods: readonly RealServer[] = [1, 2, 3].map((number) =>
  realServer(ip(`10.0.1.${number}`)),
);

/** A node with one virtual server of three real servers, and these IPv4 rules; `others` are those of the other packet filter. */
export function state(
  rules: string,
  {
    virtualServers = [{ virtualServer, realServers: pods }],
    sets = new Map(),
    outputs = new Map(),
    others = [],
  }: Partial<KernelParts> & { readonly others?: readonly string[] } = {},
): KernelState {
  return kernelState({
    rules: { IPv4: [rules, ...others], IPv6: [] },
    sets,
    virtualServers,
    outputs,
    addresses: [
      { link: 'eth0', address: nodeAddress, prefixLength: 24 },
      { link: 'kube-ipvs0', address: vip, prefixLength: 32 },
    ],
  });
}

/** From a pod of the node to {@link virtualServer}. */
export const packet: Packet = {
  protocol: 'TCP',
  source: ip('10.0.1.9'),
  destination: vip,
  port: 80,
  origin: { kind: 'device', name: 'v-caller' },
};

/** What becomes of {@link packet}: the verdict, or the fate of each real server that may be chosen. */
export function verdictOf(kernel: KernelState, over: Partial<Packet> = {}): string {
  const { verdict } = trace(kernel, { ...packet, ...over });
  if (verdict.kind !== 'balanced') return verdict.kind;
  const { choices } = verdict.balancing;
  return choices.map(({ realServer: { address }, fate }) => `${address} ${fate}`).join(', ');
}

/** A table of built-in chains with these rules. */
export function table(name: string, ...rules: readonly string[]): string {
  const hooks = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];
  return [
    `*${name}`,
    ...hooks.map((hook) => `:${hook} ACCEPT [0:0]`),
    ':OWN - [0:0]',
    ...rules,
    'COMMIT',
    '',
  ].join('\n');
}

/** The verdict when nothing stops the packet. */
export const balanced = '10.0.1.1 passed, 10.0.1.2 passed, 10.0.1.3 passed';
/** The verdict when every real server has this fate. */
export const ended = (fate: string) => balanced.replaceAll('passed', fate);
