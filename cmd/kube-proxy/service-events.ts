import { printRealServer, printVirtualServer, type VirtualServerId } from '../../pkg/ipvs/ipvs.ts';
import type { KubeEvent } from '../../pkg/kube/events.ts';
import type { Kind, ObjectName, Problem, ServiceHealth } from '../../pkg/kube/types.ts';
import type { EndedDrain } from '../../pkg/proxy/graceful/list.ts';
import type { ServiceIdentity } from '../../pkg/proxy/reporter.ts';

/** The API refuses longer notes. */
const longestNote = 1_000;

/** A Service does not get a virtual server and `others` more, as another Service has precedence (`docs/conflicts.md`). */
export function conflictEvent(
  loser: ServiceIdentity,
  {
    virtualServer,
    winner,
    others,
  }: { virtualServer: VirtualServerId; winner: string; others: number },
): KubeEvent {
  const more = others === 0 ? '' : ` and ${others} more`;
  return warning(loser, {
    reason: 'VirtualServerConflict',
    action: 'SyncService',
    note: `${printVirtualServer(virtualServer)}${more} is served for Service ${winner}, which comes first`,
  });
}

/** Connections of a Service were cut at the end of a drain; `undefined` for ends without an event. */
export function cutEvent(
  service: ServiceIdentity,
  { virtualServer, realServer, end, cutConnections }: EndedDrain,
): KubeEvent | undefined {
  if (cutConnections === 0 || (end !== 'deadline' && end !== 'unanswered')) return undefined;
  const connections = cutConnections === 1 ? '1 connection' : `${cutConnections} connections`;
  const why = end === 'deadline' ? 'at its drain deadline' : 'because it answers no more';
  return warning(service, {
    reason: 'ConnectionsCut',
    action: 'DrainEndpoint',
    note: `${printRealServer(realServer)} was taken out of ${printVirtualServer(virtualServer)} ${why}, with ${connections} left`,
  });
}

/** Annotations of a Service are invalid. */
export function annotationEvent(service: ServiceIdentity, problems: readonly Problem[]): KubeEvent {
  return warning(service, {
    reason: 'InvalidAnnotation',
    action: 'SyncService',
    note: problems.map(({ field, message }) => `${field}: ${message}`).join('; '),
  });
}

/** A Service, or a slice of it, has invalid fields. */
export function invalidObjectEvent(
  { kind, name, service }: ObjectName & { kind: Kind; service: ServiceIdentity },
  problems: readonly Problem[],
): KubeEvent {
  const object = kind === 'Service' ? '' : `${kind} ${name}: `;
  return warning(service, {
    reason: `Invalid${kind}`,
    action: 'SyncService',
    note: object + problems.map(({ field, message }) => `${field}: ${message}`).join('; '),
  });
}

/** The health-check node port of a Service cannot be listened on. */
export function healthPortEvent(
  { namespace, name, port, uid }: ServiceHealth,
  { nodeName, error }: { nodeName: string; error: Error },
): KubeEvent {
  return warning(
    { namespace, name, uid },
    {
      reason: 'FailedToStartServiceHealthcheck',
      action: 'Listen',
      note: `node ${nodeName} failed to start healthcheck "${namespace}/${name}" on port ${port}: ${error.message}`,
    },
  );
}

function warning(
  { namespace, name, uid }: ServiceIdentity,
  { reason, action, note }: Pick<KubeEvent, 'reason' | 'action' | 'note'>,
): KubeEvent {
  const regarding = { kind: 'Service', apiVersion: 'v1', namespace, name, uid };
  return { regarding, type: 'Warning', reason, action, note: note.slice(0, longestNote) };
}
