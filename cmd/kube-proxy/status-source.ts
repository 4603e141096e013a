import type { ProxyConfig } from '../../pkg/config/types.ts';
import { version } from '../../pkg/config/version.ts';
import type { ExplainPages } from '../../pkg/explain/pages.ts';
import type { StatusSource } from '../../pkg/health/status-route.ts';
import type { Metrics } from '../../pkg/metrics/metrics.ts';
import type { Reporter } from '../../pkg/proxy/reporter.ts';
import type { ProxierView } from '../../pkg/proxy/view.ts';
import type { Clock } from '../../pkg/runner/clock.ts';
import { ConnectionReader } from '../../pkg/status/connections.ts';
import { History } from '../../pkg/status/history.ts';
import { nodeStatusOf } from '../../pkg/status/node-status.ts';
import { StatusPages } from '../../pkg/status/pages.ts';
import type { Environment } from './environment.ts';

/** What `/debug/ipvs` is made of besides the proxier. */
export interface StatusSources {
  readonly environment: Pick<Environment, 'openIpvsReader' | 'openNodeReader'>;
  readonly config: ProxyConfig;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly history: History;
}

/** Creates the content of `/debug/ipvs`. `close` ends what it reads the kernel by. */
export function createStatus(
  view: ProxierView,
  { environment, config, clock, metrics, history }: StatusSources,
): { readonly status: StatusSource; readonly close: () => void } {
  const open = () => environment.openIpvsReader(metrics);
  const connections = new ConnectionReader({ open, clock });
  const { nodeName, statusPage: isOpen } = config;
  const nodeStatus = nodeStatusOf({ view, history, name: nodeName, program: version }, clock);
  const pages = new StatusPages({ view, connections, clock, nodeStatus });
  // Loaded for the first question.
  let explained: Promise<ExplainPages> | undefined;
  const explanations = () => {
    explained ??= import('./explain-source.ts').then(({ createExplainPages }) =>
      createExplainPages(view, { environment, config, clock, pages }),
    );
    return explained;
  };
  return {
    status: {
      isOpen,
      answer: (parameters, signal) => pages.answer(parameters, signal),
      explain: async (parameters, signal) => (await explanations()).answer(parameters, signal),
      page: async () => (await import('../../pkg/status/page.ts')).statusPage(),
    },
    close: () => connections.close(),
  };
}

/** A reporter that passes reports on to another one, and the history in which it remembers some of them. */
export function remembering(
  reporter: Reporter,
  clock: Clock,
): { readonly reporter: Reporter; readonly history: History } {
  const history = new History(clock);
  const both: Reporter = {
    ...reporter,
    synced(report) {
      reporter.synced(report);
      history.synced(report);
    },
    repaired(kind, operation) {
      reporter.repaired(kind, operation);
      history.repaired(kind, operation);
    },
  };
  return { reporter: both, history };
}
