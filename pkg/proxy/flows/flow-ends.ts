import type { Flow } from '../../conntrack/conntrack.ts';
import {
  type RealServerId,
  realServerKey,
  type VirtualServerId,
  virtualServerKey,
} from '../../ipvs/ipvs.ts';
import type { ClientConnection } from '../../reset/reset.ts';

/** A real server and the virtual server that it stands behind. */
export interface FlowEnds {
  readonly virtualServer: VirtualServerId;
  readonly realServer: RealServerId;
}

/** Between whom a flow was balanced, if it was: where its client went, and who answers. */
export function endsOf({ protocol, original, reply }: Flow): FlowEnds {
  return {
    virtualServer: { protocol, address: original.destination, port: original.destinationPort },
    realServer: { address: reply.source, port: reply.sourcePort },
  };
}

/** Names a real server across all virtual servers. */
export function endsKey({ virtualServer, realServer }: FlowEnds): string {
  return `${virtualServerKey(virtualServer)} ${realServerKey(realServer)}`;
}

/** The connection as its client knows it. */
export function connectionOf({ original }: Flow): ClientConnection {
  return {
    server: original.destination,
    serverPort: original.destinationPort,
    client: original.source,
    clientPort: original.sourcePort,
  };
}
