import type { Metrics } from '../../pkg/metrics/metrics.ts';
import type { UnhonouredReason } from '../../pkg/proxy/desired/unhonoured.ts';
import { ShownServices } from './shown-services.ts';

/** Shows how many Services ask for something that they do not get and why, with a series for each of the first Services. */
export class UnhonouredMetrics {
  readonly #metrics: Pick<Metrics, 'unhonouredServices' | 'serviceUnhonoured'>;
  readonly #reasons = new Map<string, ReadonlySet<UnhonouredReason>>();
  readonly #shown = new ShownServices();

  constructor(metrics: Pick<Metrics, 'unhonouredServices' | 'serviceUnhonoured'>) {
    this.#metrics = metrics;
  }

  /** Sets why a Service, given by `namespace/name`, is not honoured; no reason for one that is or was deleted. */
  set(service: string, reasons: Iterable<UnhonouredReason>): void {
    const { unhonouredServices, serviceUnhonoured } = this.#metrics;
    for (const reason of this.#reasons.get(service) ?? []) {
      unhonouredServices.dec({ reason });
      if (this.#shown.has(service)) serviceUnhonoured.remove({ service, reason });
    }
    this.#shown.delete(service);
    const now = new Set(reasons);
    if (now.size === 0) this.#reasons.delete(service);
    else this.#reasons.set(service, now);
    if (now.size > 0) this.#shown.add(service);
    for (const reason of now) {
      unhonouredServices.inc({ reason });
      if (this.#shown.has(service)) serviceUnhonoured.set({ service, reason }, 1);
    }
  }
}
