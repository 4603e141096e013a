import { clusterIp, podAddress, podsOf } from '../objects.ts';
import type { Size } from '../run.ts';

/** A Service with one TCP port, as other modes write rules for it. Its index is that of {@link service} in `objects.ts`. */
export interface ClusterPort {
  readonly name: string;
  readonly vip: string;
  /** Addresses of pods. */
  readonly endpoints: readonly string[];
}

/** Ports of Services and of pods. */
export const ports = { service: 80, pod: 8080 } as const;

/** Numbers of pods that no Service begins with; they stay in {@link podNetwork}. */
const firstFreshPod = 0x1_f0_00;

/** Where every pod has its address. */
export const podNetwork = '10.0.0.0/15';

/** The pods of a Service once its first one was replaced for the `turn`th time; 0 is the beginning. */
export function changedPods(
  index: number,
  { endpoints, turn }: { endpoints: number; turn: number },
) {
  const pods = podsOf(index, endpoints);
  return turn === 0
    ? pods
    : pods.map((pod, at) => (at === 0 ? { ...pod, number: firstFreshPod + turn } : pod));
}

/** A Service of the cluster, by its number. */
export function clusterPort(
  index: number,
  { endpoints, turn = 0 }: { endpoints: number; turn?: number },
): ClusterPort {
  return {
    name: `namespace-${index % 100}/service-${index}:http`,
    vip: clusterIp(index),
    endpoints: changedPods(index, { endpoints, turn }).map(({ number }) => podAddress(number)),
  };
}

/** All Services of a cluster. */
export function clusterPorts({ services, endpoints }: Size): readonly ClusterPort[] {
  return Array.from({ length: services }, (_, index) => clusterPort(index, { endpoints }));
}

/** The first Service, one in the middle and the last: where they stand in a list of rules. */
export function positions(services: number): Readonly<Record<'first' | 'middle' | 'last', number>> {
  return { first: 0, middle: services >> 1, last: services - 1 };
}
