import type { RealServerId, VirtualServerId } from '../ipvs/ipvs.ts';
import type { SingleOperation } from '../proxy/plan/operation.ts';

/** Connections that a start has an effect on. */
export interface AffectedConnections {
  /**
   * `cut`: they end with their virtual server or real server, which is deleted. `drained`: their real server gets no new ones; they
   * go on until they are over, or their drain ends otherwise.
   */
  readonly effect: 'cut' | 'drained';
  readonly virtualServer: VirtualServerId;
  /** `undefined` if the whole virtual server is deleted. */
  readonly realServer: RealServerId | undefined;
  readonly connections: number;
}

/** Counts the connections of a virtual server, or of one of its real servers. */
export type CountConnections = (
  virtualServer: VirtualServerId,
  realServer: RealServerId | undefined,
) => number;

const effects: Partial<Record<SingleOperation['kind'], AffectedConnections['effect']>> = {
  deleteVirtualServer: 'cut',
  deleteRealServer: 'cut',
  replaceRealServer: 'cut',
  drainRealServer: 'drained',
};

/** The connections that operations have an effect on, without those places that have none. */
export function affectedConnections(
  operations: readonly SingleOperation[],
  count: CountConnections,
): readonly AffectedConnections[] {
  return operations.flatMap((operation) => {
    const effect = effects[operation.kind];
    if (effect === undefined || !('virtualServer' in operation)) return [];
    const { virtualServer } = operation;
    const realServer = 'realServer' in operation ? operation.realServer : undefined;
    const connections = count(virtualServer, realServer);
    return connections === 0 ? [] : [{ effect, virtualServer, realServer, connections }];
  });
}
