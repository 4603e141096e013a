import type { Host } from './network/network.ts';

/** A real server as `ipvsadm` prints it. */
export interface ListedRealServer {
  /** `TCP 172.30.0.1:80`: its virtual server. */
  readonly virtualServer: string;
  readonly weight: number;
  readonly active: number;
  readonly inactive: number;
}

/** The real servers on a host's addresses, as other people's tools see them. */
export function listed(
  node: Host,
  { addresses }: Pick<Host, 'addresses'>,
): readonly ListedRealServer[] {
  const all: ListedRealServer[] = [];
  let virtualServer = '';
  for (const line of node.namespace.run('ipvsadm', '-Ln').split('\n')) {
    const words = line.trim().split(/\s+/);
    const [first = '', second = '', , weight, active, inactive] = words;
    if (/^(TCP|UDP|SCTP)$/.test(first)) virtualServer = `${first} ${second}`;
    const isOf = addresses.some(
      (own) => second.startsWith(`${own}:`) || second.startsWith(`[${own}]:`),
    );
    if (first === '->' && isOf)
      all.push({
        virtualServer,
        weight: Number(weight),
        active: Number(active),
        inactive: Number(inactive),
      });
  }
  return all;
}

/** Their weights, each one once, for protocols and addresses that begin so: `TCP 172.30.0.1`. */
export function weights(node: Host, host: Host, prefix = ''): readonly number[] {
  const all = listed(node, host).filter(({ virtualServer }) => virtualServer.startsWith(prefix));
  return [...new Set(all.map(({ weight }) => weight))].sort((one, other) => one - other);
}
