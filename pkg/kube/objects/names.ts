/** Objects with one of these labels, whatever its value, are handled by another proxy or by none. */
export const foreignLabels = [
  'service.kubernetes.io/service-proxy-name',
  'service.kubernetes.io/headless',
] as const;
/** The label of an EndpointSlice with the name of its Service. */
export const serviceLabel = 'kubernetes.io/service-name';
/** The label of a Node with its zone. */
export const zoneLabel = 'topology.kubernetes.io/zone';
/** The annotation of an EndpointSlice with the time of the change in the cluster that caused its last change. */
export const triggerAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time';
/** The taint of a Node that the cluster autoscaler is about to delete. */
export const goingTaint = 'ToBeDeletedByClusterAutoscaler';
/** The prefix of the annotations of Services that we read. */
export const annotationPrefix = 'ipvs.kube-proxy.io/';

const readLabels: ReadonlySet<string> = new Set([...foreignLabels, serviceLabel, zoneLabel]);

/** Whether a label is read; others need not be decoded. */
export function isReadLabel(name: string): boolean {
  return readLabels.has(name);
}

/** Whether an annotation is read; others need not be decoded. */
export function isReadAnnotation(name: string): boolean {
  return name === triggerAnnotation || name.startsWith(annotationPrefix);
}
