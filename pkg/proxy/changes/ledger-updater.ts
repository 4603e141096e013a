import type { Family } from '../../ip/address.ts';
import { noOptions, type ServiceOptions } from '../../kube/annotations.ts';
import type { Service } from '../../kube/types.ts';
import { errorText } from '../../log/error-text.ts';
import type { Logger } from '../../log/log.ts';
import type { Clock } from '../../runner/clock.ts';
import { Yielder } from '../../runner/yielder.ts';
import type { NodeContext } from '../desired/footprint.ts';
import { footprintsByPort, realServerLimit } from '../desired/footprints.ts';
import { DiscardedKeys, Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import { cutOffCount, PortFootprint } from '../desired/port-footprint.ts';
import type { UdpFrontEnd } from '../desired/udp-front-end.ts';
import { type Unhonoured, unhonouredOf } from '../desired/unhonoured.ts';
import type { Reporter } from '../reporter.ts';
import { endpointDifferences, isAboutNode } from './endpoint-differences.ts';
import type { ServiceChanges } from './service-changes.ts';
import { ServiceHealthChanges } from './service-health.ts';
import { readServiceOptions } from './service-options.ts';
import { type ServiceFailure, ServiceQueue } from './service-queue.ts';
import { ServiceReports } from './service-reports.ts';
import { ServiceSizes } from './service-sizes.ts';
import type { Store } from './store.ts';
import type { Trigger } from './triggers.ts';
import { UdpChanges } from './udp-changes.ts';

export interface LedgerUpdaterOptions {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Logger;
  readonly reporter: Reporter;
  /** The families that this node serves. */
  readonly families: readonly Family[];
  readonly serviceOptionsOf: ((service: Service) => ServiceOptions) | undefined;
}

/** Why a Service could not be entered. Times are milliseconds of the clock. */
export type EntryFailure = ServiceFailure;

/** The result of entering changes of the store in the ledger. */
export interface Entered {
  readonly keys: Keys;
  readonly triggers: readonly Trigger[];
  /** When to call again, in milliseconds: now for Services that are entered in part, later for those that failed; `undefined` for never. */
  readonly next: number | undefined;
}

/** How long one Service is worked on until the next one gets its turn, in milliseconds. */
const share = 10;
/** After how long the rest of the Services is left for the next call, in milliseconds, so that what is entered so far is carried out. */
const longest = 200;

/** A Service that is being entered, step by step. */
interface Task {
  readonly service: string;
  readonly steps: Iterator<undefined>;
}

/**
 * Brings the ledger up to date with the store: it enters the footprints of the Services that changed, and of no others. Small ones
 * are entered at once. A big one is entered port by port, over several calls, and is carried out as far as it is entered. An
 * exception concerns its own Service only, which is tried again.
 */
export class LedgerUpdater {
  readonly #options: LedgerUpdaterOptions;
  readonly #now: () => number;
  readonly #queue = new ServiceQueue();
  readonly #reports: ServiceReports;
  readonly #udpChanges = new UdpChanges();
  readonly #health = new ServiceHealthChanges();
  /** Services that are entered in part. */
  readonly #tasks = new Map<string, Task>();
  readonly #sizes: ServiceSizes;
  #touched = new Keys();

  constructor(options: LedgerUpdaterOptions) {
    this.#options = options;
    this.#now = () => options.clock.now();
    this.#reports = new ServiceReports(options);
    this.#sizes = new ServiceSizes(options.ledger);
  }

  /** How many Services failed and wait to be tried again. */
  get failedServices(): number {
    return this.#queue.failedCount;
  }

  /** How many times a Service was entered, or failed to be, since the start. */
  get enteredServices(): number {
    return this.#queue.settledCount;
  }

  /** The failure of a Service, given by its key, that waits to be tried again. */
  failureOf(service: string): EntryFailure | undefined {
    return this.#queue.failure(service);
  }

  /** What a Service asks for and does not get. By what is entered of it, unless it is said how many of its ports get no real servers. */
  unhonouredOf(
    service: Service,
    node: NodeContext,
    { cutOffPorts = cutOffCount(this.#options.ledger.footprints(service.key)) } = {},
  ): readonly Unhonoured[] {
    const { families, serviceOptionsOf } = this.#options;
    const readsAnnotations = serviceOptionsOf !== undefined;
    return unhonouredOf(service, { node, families, readsAnnotations, cutOffPorts });
  }

  /**
   * Enters the Services that changed. If `isComplete`, all of them, and no keys are collected, as everything is planned then; else it
   * stops after {@link longest}, and the rest is entered later.
   */
  async enter(node: NodeContext, { isComplete = false } = {}): Promise<Entered> {
    if (isComplete) this.#touched = new DiscardedKeys();
    const { store, ledger, clock, reporter } = this.#options;
    const started = clock.now();
    store.expire();
    const yielder = new Yielder(this.#now);
    while (store.markSome()) if (yielder.isDue) await yielder.yieldIfDue();
    const { services, triggers } = store.takeDirty();
    this.#queue.add(services);
    const began = clock.now();
    do {
      for (const service of this.#queue.takeDue(clock.now(), this.#tasks))
        await this.#begin(service, { node, yielder });
      if (this.#tasks.size > 0)
        for (const task of [...this.#tasks.values()]) await this.#run(task, yielder);
    } while (this.hasMore && (isComplete || clock.now() - began < longest));
    this.#reports.conflicts(ledger.conflicts.takeConflicts(), { ledger, store });
    this.#reports.lostClaims(ledger.conflicts.takeLost());
    const keys = this.#touched;
    this.#touched = new Keys();
    reporter.stageTook('desired', clock.now() - started);
    const next = this.hasMore ? clock.now() : this.#queue.nextRetry;
    return { keys, triggers, next };
  }

  /** The UDP front ends whose endpoints changed since the last call. */
  takeUdpChanges(): readonly UdpFrontEnd[] {
    return this.#udpChanges.take();
  }

  /** Reports the health of Services with a health-check node port, as far as it changed since the last call. */
  reportHealth(reporter: Pick<Reporter, 'serviceHealth'>): void {
    for (const { key, health } of this.#health.take()) reporter.serviceHealth(key, health);
  }

  /** Whether Services wait that changed or are entered in part. Those that failed are not counted. */
  get hasMore(): boolean {
    return this.#tasks.size > 0 || this.#queue.hasChanged;
  }

  /** Enters the endpoints that differ if nothing else of a Service changed, otherwise begins to enter the whole. */
  #begin(
    service: string,
    { node, yielder }: { node: NodeContext; yielder: Yielder },
  ): Promise<void> | undefined {
    try {
      const changes = this.#options.store.takeChanges(service);
      if (!changes.isWhole && this.#enterDifferences(service, { changes, node })) {
        this.#queue.succeeded(service);
        return yielder.yieldIfDue();
      }
    } catch (error) {
      this.#fail(service, error);
      return undefined;
    }
    return this.#run({ service, steps: this.#enterWhole(service, node) }, yielder);
  }

  /** Works on a Service for its share of time, and keeps it if it is not finished. Returns a promise only if the event loop has to turn. */
  #run(task: Task, yielder: Yielder): Promise<void> | undefined {
    const end = this.#now() + share;
    return this.#advance(task, { yielder, end }) ? this.#runOn(task, { yielder, end }) : undefined;
  }

  async #runOn(task: Task, context: { yielder: Yielder; end: number }): Promise<void> {
    do {
      await context.yielder.yieldIfDue();
      if (this.#now() < context.end) continue;
      this.#tasks.set(task.service, task);
      return;
    } while (this.#advance(task, context));
  }

  /**
   * Takes steps until the Service is entered or its share of time is over. True if it stopped before, because the event loop should
   * turn.
   */
  #advance(task: Task, { yielder, end }: { yielder: Yielder; end: number }): boolean {
    const { service, steps } = task;
    try {
      while (steps.next().done !== true) {
        const now = this.#now();
        if (yielder.isDueAt(now)) return true;
        if (now < end) continue;
        this.#tasks.set(service, task);
        return false;
      }
      this.#queue.succeeded(service);
    } catch (error) {
      this.#fail(service, error);
    }
    this.#tasks.delete(service);
    return false;
  }

  #fail(service: string, error: unknown): void {
    const { clock, log, store } = this.#options;
    store.markWhole(service);
    const isNews = this.#queue.failed(service, { message: errorText(error), now: clock.now() });
    if (isNews) log.error('could not work out what a Service wants', error, { service });
  }

  /** Enters the endpoints that differ. False if the Service has to be entered as a whole instead. */
  #enterDifferences(
    key: string,
    { changes, node }: { changes: ServiceChanges; node: NodeContext },
  ): boolean {
    const { ledger, store } = this.#options;
    const size = this.#sizes.get(key);
    if (size === undefined || store.service(key) === undefined) return false;
    const differences = endpointDifferences(changes);
    if (differences === undefined) return false;
    let grown = size;
    let concernsNode = false;
    for (const { port, difference } of differences) {
      concernsNode ||= isAboutNode(difference, node);
      const footprint = ledger.footprint(key, port);
      if (!(footprint instanceof PortFootprint)) continue;
      grown -= footprint.size;
      const change = footprint.apply(difference);
      grown += footprint.size;
      ledger.change(key, change, { port, touched: this.#touched });
      this.#udpChanges.note(change.udpFrontEnds);
    }
    // Once, however many ports differ.
    if (concernsNode && this.#health.has(key))
      this.#health.note(key, store.objects(key), node.nodeName);
    this.#sizes.change(key, grown);
    return grown <= realServerLimit;
  }

  *#enterWhole(key: string, node: NodeContext): Generator<undefined> {
    const { store, ledger } = this.#options;
    const objects = store.objects(key);
    const options = this.#optionsOf(key, objects?.service);
    const last = ledger.footprints(key);
    let ports = 0;
    let cutOff = 0;
    let size = 0;
    this.#sizes.begin(key);
    if (objects !== undefined) {
      for (const footprint of footprintsByPort({ ...objects, options }, node)) {
        yield undefined;
        if (footprint === undefined) continue;
        const { port } = footprint;
        ports++;
        if (footprint.isCutOff) cutOff++;
        size += footprint.size;
        const before = ledger.footprint(key, port);
        ledger.set(footprint, { touched: this.#touched });
        this.#udpChanges.noteFootprints({ before, after: footprint });
      }
    }
    this.#health.note(key, objects, node.nodeName);
    const service = objects?.service;
    this.#reports.cutOff(key, { service, ports: cutOff });
    this.#reports.unhonoured(
      key,
      service ? this.unhonouredOf(service, node, { cutOffPorts: cutOff }) : [],
    );
    for (const before of last) {
      // A port that was entered has another footprint by now.
      if (ledger.footprint(key, before.port) !== before) continue;
      yield undefined;
      ledger.remove(key, { port: before.port, touched: this.#touched });
      this.#udpChanges.noteFootprints({ before, after: undefined });
    }
    // If some ports were cut off, it is entered as a whole the next time, as they may fit by then.
    if (cutOff === 0) this.#sizes.finish(key, { ports, size });
  }

  /** The options that a Service's annotations ask for. Reports invalid ones. */
  #optionsOf(key: string, service: Service | undefined): ServiceOptions {
    const { serviceOptionsOf } = this.#options;
    if (serviceOptionsOf === undefined) return noOptions;
    const options =
      service === undefined ? noOptions : readServiceOptions(service, serviceOptionsOf);
    this.#reports.problems(key, { service, problems: options.problems });
    return options;
  }
}
