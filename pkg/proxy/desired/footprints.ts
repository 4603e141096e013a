import { noOptions } from '../../kube/annotations.ts';
import { PortEndpoints } from './endpoint.ts';
import type { Footprint, NodeContext, ServiceObjects } from './footprint.ts';
import { frontEndCount } from './front-ends.ts';
import { PortFootprint } from './port-footprint.ts';
import { allPorts } from './port-name.ts';
import { PortRealServers } from './port-real-servers.ts';
import { servicePorts } from './service.ts';
import { SliceIndex } from './slice-index.ts';

/** What one Service wants in the kernel, as of now. */
export function footprint(objects: ServiceObjects, node: NodeContext): Footprint {
  const parts: Footprint[] = [];
  for (const part of footprintsByPort(objects, node)) if (part !== undefined) parts.push(part);
  return {
    owner: objects.service,
    port: allPorts,
    frontEnds: parts.flatMap(({ frontEnds }) => frontEnds),
    hairpins: parts.flatMap(({ hairpins }) => [...hairpins]),
    udpFrontEnds: parts.flatMap(({ udpFrontEnds }) => udpFrontEnds),
    withoutLocalEndpoints: new Set(
      parts.flatMap(({ withoutLocalEndpoints }) => [...withoutLocalEndpoints]),
    ),
  };
}

/**
 * How many real servers the front ends of one Service may have together: two objects of a megabyte each could ask for twenty
 * millions, on every node.
 */
export const realServerLimit = 200_000;

/**
 * What one Service wants in the kernel, port by port, and nothing at all between steps none of which is long, however many ports
 * and endpoints there are.
 * The only place where Kubernetes' words turn into LVS's.
 */
export function* footprintsByPort(
  objects: ServiceObjects,
  node: NodeContext,
): Generator<PortFootprint | undefined> {
  const present = new SliceIndex();
  if (!present.addFew(objects.slices)) yield* present.add(objects.slices);
  const vanished = objects.vanished.length === 0 ? undefined : new SliceIndex();
  if (vanished?.addFew(objects.vanished) === false) yield* vanished.add(objects.vanished);
  const options = objects.options ?? noOptions;
  let left = realServerLimit;
  for (const port of servicePorts(objects.service, node)) {
    const size = present.count(port) * frontEndCount(port, node);
    const isCutOff = size > left;
    if (!isCutOff) left -= size;
    const isVanishing = !isCutOff && vanished !== undefined && vanished.count(port) > 0;
    const endpoints = {
      present: isCutOff
        ? new PortEndpoints(node)
        : (present.endpointsOfFew(port, node) ?? (yield* present.endpointsOf(port, node))),
      vanished: isVanishing ? yield* vanished.endpointsOf(port, node) : undefined,
    };
    const realServers = new PortRealServers(port, { node, options, ...endpoints });
    yield new PortFootprint(port, { node, options, realServers, isCutOff });
  }
}
