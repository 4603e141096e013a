import type { Metrics } from '../../pkg/metrics/metrics.ts';
import { ShownServices } from './shown-services.ts';

/** Shows which Services want virtual servers that others own, and how many. Only the first Services have series. */
export class ConflictMetrics {
  readonly #metrics: Pick<Metrics, 'serviceConflicts'>;
  readonly #shown = new ShownServices();

  constructor(metrics: Pick<Metrics, 'serviceConflicts'>) {
    this.#metrics = metrics;
  }

  /** Sets how many virtual servers a Service, given by `namespace/name`, does not get; 0 for one that gets all or was deleted. */
  set(service: string, count: number): void {
    const { serviceConflicts } = this.#metrics;
    if (count === 0) {
      if (this.#shown.delete(service)) serviceConflicts.remove({ service });
      return;
    }
    this.#shown.add(service);
    if (this.#shown.has(service)) serviceConflicts.set({ service }, count);
  }
}
