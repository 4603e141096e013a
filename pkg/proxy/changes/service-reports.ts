import type { Problem, Service } from '../../kube/types.ts';
import type { Logger } from '../../log/log.ts';
import type { Conflict } from '../desired/claims.ts';
import { realServerLimit } from '../desired/footprints.ts';
import type { Ledger } from '../desired/ledger.ts';
import type { LostCount } from '../desired/lost-claims.ts';
import type { Unhonoured } from '../desired/unhonoured.ts';
import type { Reporter } from '../reporter.ts';
import type { Store } from './store.ts';

/** How many conflicts are logged one by one each time that Services are entered. */
const loggedConflicts = 20;

/** Says what is wrong with Services, to their owners and in the log, once for each time that it begins. */
export class ServiceReports {
  readonly #log: Logger;
  readonly #reporter: Reporter;
  /** What was said last about a Service, by its key. */
  readonly #said = new Map<string, string>();
  /** What was said last that is not done for a Service. */
  readonly #unhonoured = new Map<string, string>();
  /** How many ports of a Service get no real servers. */
  readonly #cutOff = new Map<string, number>();

  constructor({ log, reporter }: { log: Logger; reporter: Reporter }) {
    this.#log = log;
    this.#reporter = reporter;
  }

  /** Says what cannot be understood, or is not served, of a Service; `undefined` for one that is gone. */
  problems(
    key: string,
    { service, problems }: { service: Service | undefined; problems: readonly Problem[] },
  ): void {
    const text = problems.map(({ field, message }) => `${field}: ${message}`).join('; ');
    if (text === (this.#said.get(key) ?? '')) return;
    if (text === '') this.#said.delete(key);
    else this.#said.set(key, text);
    if (text === '' || service === undefined) return;
    this.#log.error('invalid annotation', undefined, { service: key, problems: text });
    this.#reporter.invalidAnnotations(service, problems);
  }

  /** Says what a Service asks for that is not done, once for each different answer; nothing for one that is gone. */
  unhonoured(key: string, found: readonly Unhonoured[]): void {
    const text = found.map(({ reason, field, value }) => `${field} ${value}: ${reason}`).join('; ');
    if (text === (this.#unhonoured.get(key) ?? '')) return;
    if (text === '') this.#unhonoured.delete(key);
    else this.#unhonoured.set(key, text);
    if (text !== '')
      this.#log.warn('not all of a Service is honoured', { service: key, what: text });
    this.#reporter.unhonoured(key, new Set(found.map(({ reason }) => reason)));
  }

  /** Says that some ports of a Service, given by its key, get no real servers because all together are too many. */
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

  /** Reports how many virtual servers Services want that others have. */
  lostClaims(counts: readonly LostCount[]): void {
    for (const { service, count } of counts) this.#reporter.lostClaims(service, count);
  }

  /** Reports conflicts that began: to each Service that lost one sentence for each that it lost against, however many ports they share. */
  conflicts(begun: readonly Conflict[], { ledger, store }: { ledger: Ledger; store: Store }): void {
    if (begun.length === 0) return;
    const pairs = Map.groupBy(begun, ({ winner, loser }) => `${winner} ${loser}`);
    let count = 0;
    for (const [first, ...others] of pairs.values()) {
      if (first === undefined) continue;
      const virtualServer = ledger.claim(first.virtualServer)?.frontEnd.virtualServer;
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
