import type { Reporter } from '../proxy/reporter.ts';

/** The reports that a preview uses; the others are for metrics, health and events. */
export type PreviewReports = Pick<Reporter, 'firstSyncDone' | 'state'>;

/** A reporter for a preview. */
export function previewReporter(reports: PreviewReports): Reporter {
  const ignore = () => undefined;
  return {
    changeReceived: ignore,
    invalidObject: ignore,
    invalidAnnotations: ignore,
    unhonoured: ignore,
    synced: ignore,
    invalidObjects: ignore,
    queued: ignore,
    stageTook: ignore,
    operations: ignore,
    repaired: ignore,
    conflict: ignore,
    lostClaims: ignore,
    drainEnded: ignore,
    reused: ignore,
    flowsReconciled: ignore,
    clientResets: ignore,
    rulesFailed: ignore,
    serviceHealth: ignore,
    healthCheckAddresses: ignore,
    progressed: ignore,
    firstSyncBegins: ignore,
    ...reports,
  };
}
