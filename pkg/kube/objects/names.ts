/** Objects with one of these labels, whatever its value, belong to another proxy or to none. */
export const foreignLabels = [
  'service.kubernetes.io/service-proxy-name',
  'service.kubernetes.io/headless',
] as const;
/** Says of which Service an EndpointSlice is. */
export const serviceLabel = 'kubernetes.io/service-name';
/** Says in which zone a Node is. */
export const zoneLabel = 'topology.kubernetes.io/zone';
/** When an EndpointSlice was last changed by something that happened in the cluster. */
export const triggerAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time';
/** Annotations of Services that are ours begin so. */
export const annotationPrefix = 'ipvs.kube-proxy.io/';

const readLabels: ReadonlySet<string> = new Set([...foreignLabels, serviceLabel, zoneLabel]);

/** Whether anything here reads a label; others need not be decoded. */
export function isReadLabel(name: string): boolean {
  return readLabels.has(name);
}

/** Whether anything here reads an annotation; others need not be decoded. */
export function isReadAnnotation(name: string): boolean {
  return name === triggerAnnotation || name.startsWith(annotationPrefix);
}
