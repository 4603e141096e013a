import type { Flow } from '../conntrack/conntrack.ts';
import {
  type RealServerId,
  realServerKey,
  type VirtualServerId,
  virtualServerKey,
} from '../ipvs/ipvs.ts';

/** A real server and the virtual server that it stands behind. */
export interface FlowEnds {
  readonly server: VirtualServerId;
  readonly backend: RealServerId;
}

/** Between whom a flow was balanced, if it was: where its client went, and who answers. */
export function endsOf({ protocol, original, reply }: Flow): FlowEnds {
  return {
    server: { protocol, address: original.destination, port: original.destinationPort },
    backend: { address: reply.source, port: reply.sourcePort },
  };
}

/** Names a real server across all virtual servers. */
export function endsKey({ server, backend }: FlowEnds): string {
  return `${virtualServerKey(server)} ${realServerKey(backend)}`;
}
