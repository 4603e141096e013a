import { type IpAddress, printHostPort } from '../../pkg/ip/address.ts';
import type { Protocol } from '../../pkg/ip/protocol.ts';
import type { Namespace } from '../support/namespace.ts';

// What the kernel holds, as ipvsadm prints it: another path than the program's own.

/** A virtual server of the kernel. */
export interface HeldVirtualServer {
  readonly scheduler: string;
  /** Seconds that a client sticks to its back end, if it does. */
  readonly persistence: string | undefined;
  /** Weights by `10.0.1.14:8080`. */
  readonly weights: ReadonlyMap<string, number>;
}

/** What names a virtual server: `TCP 172.30.0.2:80`. */
export function virtualServerKey({
  protocol,
  address,
  port,
}: {
  protocol: Protocol;
  address: IpAddress;
  port: number;
}): string {
  return `${protocol} ${printHostPort(address, port)}`;
}

/** Every virtual server of a namespace, by its key. */
export function heldVirtualServers(namespace: Namespace): Map<string, HeldVirtualServer> {
  return parseVirtualServers(namespace.run('ipvsadm', '--save', '--numeric'));
}

/** Reads what `ipvsadm --save --numeric` prints. */
export function parseVirtualServers(text: string): Map<string, HeldVirtualServer> {
  const virtualServers = new Map<
    string,
    HeldVirtualServer & { readonly weights: Map<string, number> }
  >();
  for (const line of text.split('\n')) {
    const [, action, flag = '', address = ''] = /^-([Aa]) (\S+) (\S+)/.exec(line) ?? [];
    const key = `${protocols[flag] ?? flag} ${address}`;
    if (action === 'A') {
      const [, scheduler = ''] = / -s (\S+)/.exec(line) ?? [];
      const [, persistence] = / -p (\d+)/.exec(line) ?? [];
      virtualServers.set(key, { scheduler, persistence, weights: new Map() });
    } else if (action === 'a') {
      const [, realServer = ''] = / -r (\S+)/.exec(line) ?? [];
      virtualServers.get(key)?.weights.set(realServer, Number(/ -w (\d+)/.exec(line)?.[1] ?? 1));
    }
  }
  return virtualServers;
}

const protocols: Readonly<Record<string, Protocol>> = {
  '-t': 'TCP',
  '-u': 'UDP',
  '--sctp-service': 'SCTP',
};
