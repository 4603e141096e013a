import type { ProgramLog } from '../../pkg/log/log.ts';
import type { Reading } from '../../pkg/metrics/process.ts';

/** How many lines of the log were not written, read at each scrape. */
export function logReadings(log: Pick<ProgramLog, 'lost'>): readonly Reading[] {
  return [
    {
      name: 'kubeproxy_ipvs_log_lines_left_out_total',
      help: 'Log lines that were left out because too many of the kind came',
      isCounter: true,
      read: () => log.lost().leftOut,
    },
    {
      name: 'kubeproxy_ipvs_log_lines_dropped_total',
      help: 'Log lines that were dropped because nobody read standard error',
      isCounter: true,
      read: () => log.lost().dropped,
    },
  ];
}
