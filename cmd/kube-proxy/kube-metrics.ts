import { STATUS_CODES } from 'node:http';
import type {
  CredentialMetrics,
  KubeLog,
  KubeMetrics,
  RequestMetrics,
} from '../../pkg/kube/metrics.ts';
import type { Logger } from '../../pkg/log/log.ts';
import type { Metrics } from '../../pkg/metrics/metrics.ts';
import type { Clock } from '../../pkg/runner/clock.ts';

/** Makes the metrics of the API client. */
export function createKubeMetrics(metrics: Metrics, clock: Pick<Clock, 'wallClock'>): KubeMetrics {
  return {
    ...requestMetrics(metrics),
    ...credentialMetrics(metrics, clock),
    listed: (kind, how) => metrics.lists.inc({ kind, how }),
    failed: (kind, reason) => metrics.watchFailures.inc({ kind, reason: knownStatus(reason) }),
    watchEnded: (kind, end) => metrics.watches.inc({ kind, end }),
    unconfirmed: (kind, count) => metrics.unconfirmedDeletions.set({ kind }, count),
    eventsDropped: (count) => metrics.eventsDropped.inc({}, count),
  };
}

function requestMetrics(metrics: Metrics): RequestMetrics {
  return {
    requested({ method, host, code, duration, isRetry }) {
      const status = knownStatus(code);
      metrics.requests.inc({ code: status, method, host });
      metrics.requestDuration.observe({ verb: method, host }, duration);
      if (isRetry) metrics.requestRetries.inc({ code: status, verb: method, host });
    },
    rateLimited: ({ method, host, duration }) =>
      metrics.rateLimiterDuration.observe({ verb: method, host }, duration),
    sent: ({ method, host, size }) => metrics.requestSize.observe({ verb: method, host }, size),
    received: ({ method, host, size }) =>
      metrics.responseSize.observe({ verb: method, host }, size),
  };
}

function credentialMetrics(metrics: Metrics, clock: Pick<Clock, 'wallClock'>): CredentialMetrics {
  let pluginExpiry = Number.POSITIVE_INFINITY;
  metrics.onScrape(() => {
    metrics.execPluginTtl.set({}, (pluginExpiry - clock.wallClock()) / 1000);
  });
  return {
    pluginCalled: ({ status, code }) =>
      metrics.execPluginCalls.inc({ code: `${code}`, call_status: status }),
    pluginCertificate(expires) {
      pluginExpiry = expires ?? Number.POSITIVE_INFINITY;
    },
    pluginCertificateRotated: (age) => metrics.execPluginRotationAge.observe({}, age),
    authorityReloaded(reason) {
      const isSuccess = reason === 'unchanged' || reason === 'updated';
      metrics.authorityReloads.inc({ result: isSuccess ? 'success' : 'failure', reason });
    },
  };
}

/** A valid HTTP status, or `4xx` and the like, so that a server cannot create a series for each number. */
function knownStatus(label: string): string {
  if (!/^\d+$/.test(label) || Object.hasOwn(STATUS_CODES, label)) return label;
  return `${label.slice(0, 1)}xx`;
}

/** The logger for the API client, whose errors are texts already. */
export function kubeLog(log: Logger): KubeLog {
  return {
    info: (message, details) => log.info(message, details),
    error: (message, details) => log.error(message, undefined, details),
  };
}
