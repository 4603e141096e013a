import type { Problem, Service } from '../../kube/types.ts';
import type { Logger } from '../../log/log.ts';
import type { Conflict } from '../desired/claims.ts';
import { realServerLimit } from '../desired/footprints.ts';
import type { Ledger } from '../desired/ledger.ts';
import type { LostCount } from '../desired/lost-claims.ts';
import type { Unhonoured } from '../desired/unhonoured.ts';
import type { Reporter } from '../reporter.ts';
import type { Store } from './store.ts';

/** How many conflicts are logged one by one in one call. */
const loggedConflicts = 20;

/** Reports problems of Services to the reporter and the log, once each time that a problem begins. */
export class ServiceReports {
  readonly #log: Logger;
  readonly #reporter: Reporter;
  /** The last reported problems of a Service, by its key. */
  readonly #reported = new Map<string, string>();
  /** The last reported parts of a Service that are not honoured, by its key. */
  readonly #unhonoured = new Map<string, string>();
  /** How many ports of a Service get no real servers. */
  readonly #cutOff = new Map<string, number>();

  constructor({ log, reporter }: { log: Logger; reporter: Reporter }) {
    this.#log = log;
    this.#reporter = reporter;
  }

  /** Reports invalid annotations of a Service; `undefined` for one that is gone. */
  problems(
    key: string,
    { service, problems }: { service: Service | undefined; problems: readonly Problem[] },
  ): void {
    const text = problems.map(({ field, message }) => `${field}: ${message}`).join('; ');
    if (text === (this.#reported.get(key) ?? '')) return;
    if (text === '') this.#reported.delete(key);
    else this.#reported.set(key, text);
    if (text === '' || service === undefined) return;
    this.#log.error('invalid annotation', undefined, { service: key, problems: text });
    this.#reporter.invalidAnnotations(service, problems);
  }

  /** Reports the parts of a Service that are not honoured, once for each different list; an empty list for one that is gone. */
  unhonoured(key: string, found: readonly Unhonoured[]): void {
    const text = found.map(({ reason, field, value }) => `${field} ${value}: ${reason}`).join('; ');
    if (text === (this.#unhonoured.get(key) ?? '')) return;
    if (text === '') this.#unhonoured.delete(key);
    else this.#unhonoured.set(key, text);
    if (text !== '')
      this.#log.warn('not all of a Service is honoured', { service: key, what: text });
    this.#reporter.unhonoured(key, new Set(found.map(({ reason }) => reason)));
  }

  /** Reports how many ports of a Service, given by its key, get no real servers because all together would have too many. */
  cutOff(key: string, { service, ports }: { service: Service | undefined; ports: number }): void {
    const last = this.#cutOff.get(key) ?? 0;
    if (ports === 0) this.#cutOff.delete(key);
    else this.#cutOff.set(key, ports);
    if (ports === last || ports === 0 || service === undefined) return;
    const message = `${ports} of them have no endpoints here: a Service can have ${realServerLimit} real servers`;
    const { namespace, name } = service;
    const problems = [{ field: 'spec.ports', message }];
    this.#log.error('invalid Service', undefined, {
      object: key,
      problems: `spec.ports: ${message}`,
    });
    this.#reporter.invalidObject({ namespace, name, kind: 'Service', service }, problems);
  }

  /** Reports how many virtual servers each Service wants that another Service owns. */
  lostClaims(counts: readonly LostCount[]): void {
    for (const { service, count } of counts) this.#reporter.lostClaims(service, count);
  }

  /** Reports conflicts that began, once for each pair of Services, however many virtual servers they are about. */
  conflicts(begun: readonly Conflict[], { ledger, store }: { ledger: Ledger; store: Store }): void {
    if (begun.length === 0) return;
    const pairs = Map.groupBy(begun, ({ winner, loser }) => `${winner} ${loser}`);
    let count = 0;
    for (const [first, ...others] of pairs.values()) {
      if (first === undefined) continue;
      const virtualServer = ledger.frontEnd(first.virtualServer)?.virtualServer;
      if (++count <= loggedConflicts)
        this.#log.error('two Services want one virtual server', undefined, {
          ...first,
          others: others.length,
        });
      const loser = store.service(first.loser);
      if (virtualServer !== undefined)
        this.#reporter.conflict(first, { virtualServer, loser, others: others.length });
    }
    if (count > loggedConflicts)
      this.#log.error('more Services want virtual servers of others', undefined, {
        count: count - loggedConflicts,
      });
  }
}
