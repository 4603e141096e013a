import { FakeIpvsConnections } from '../../pkg/connections/fake.ts';
import { FakeConntrack } from '../../pkg/conntrack/fake.ts';
import { recordingLogger } from '../../pkg/log/memory.ts';
import { Cleaner } from '../../pkg/proxy/apply/cleaner.ts';
import { FlowReader } from '../../pkg/proxy/flows/flow-reader.ts';
import { ClientResetter } from '../../pkg/proxy/graceful/client-resetter.ts';
import type { DrainRequest } from '../../pkg/proxy/graceful/list.ts';
import { CleanupLookUp, type FoundCleanups } from '../../pkg/proxy/graceful/look-up.ts';
import type { Operation } from '../../pkg/proxy/plan/operation.ts';
import { FakeResetter } from '../../pkg/reset/fake.ts';
import { manualClock } from '../../pkg/runner/manual-clock.ts';
import { keptSettings } from './settings.ts';

/** Which of the real servers that go are deleted in the end, and how many connections IPVS counts of each. */
export interface DeletionOptions {
  readonly connections?: number | undefined;
  readonly deleted?: readonly DrainRequest[];
  /** Called in place of the deletion. */
  readonly write?: () => void;
}

/** What happens around the deletion of real servers, on a kernel and with a clock in memory. */
export class Deletions {
  readonly clock = manualClock();
  readonly conntrack = new FakeConntrack();
  readonly connections = new FakeIpvsConnections();
  readonly resetter = new FakeResetter();
  readonly log = recordingLogger();
  /** What happened, in order, with its time: `50 cut`, `150 sent 1`. */
  readonly events: string[] = [];
  /** When the settings of the kernel were looked at. */
  readonly restored: number[] = [];
  readonly lookUp: CleanupLookUp;
  readonly #cleaner: Cleaner;
  readonly #abort = new AbortController();
  readonly #ended: Promise<unknown>;

  constructor() {
    const { clock, conntrack, connections, resetter, log, restored } = this;
    const settings = { ...keptSettings, restore: () => void restored.push(clock.now()) };
    const reader = new FlowReader({ conntrack, clock, log });
    const note = (what: string) => (count: number) => this.note(`${what} ${count}`);
    const clientResetter = new ClientResetter({
      conntrack,
      resetter,
      clock,
      log,
      onSent: note('sent'),
      onFailed: note('failed'),
    });
    const backlog = () => clientResetter.backlog;
    this.lookUp = new CleanupLookUp({ reader, connections, settings, log, backlog });
    this.#cleaner = new Cleaner({
      conntrack,
      resetter,
      clientResetter,
      clock,
      log,
      onFailed: note('failed'),
      onSkipped: note('skipped'),
    });
    const parts = [reader, clientResetter];
    this.#ended = Promise.all(parts.map((part) => part.run(this.#abort.signal)));
  }

  note(event: string): void {
    this.events.push(`${this.clock.now()} ${event}`);
  }

  /** Deletes real servers when what has to happen around that is looked up. */
  async delete(requests: readonly DrainRequest[], options: DeletionOptions = {}): Promise<void> {
    const connections = 'connections' in options ? options.connections : 0;
    const leaving = requests.map((some) => ({ ...some, connections }));
    await this.#deleteWith(await this.lookUp.find(leaving), { requests, ...options });
  }

  /** The same without delay. */
  async deleteNow(requests: readonly DrainRequest[], connections = 0): Promise<void> {
    const leaving = requests.map((some) => ({ ...some, connections }));
    await this.#deleteWith(await this.lookUp.findNow(leaving), { requests });
  }

  async #deleteWith(
    cleanups: FoundCleanups,
    {
      requests,
      deleted = requests,
      write = () => undefined,
    }: DeletionOptions & { requests: readonly DrainRequest[] },
  ): Promise<void> {
    const operationOf = (request: DrainRequest): Operation => {
      const cleanup = cleanups.get(request);
      if (cleanup === undefined) throw new Error('nothing was looked up');
      return { kind: 'deleteRealServer', ...request, reason: 'deadline', cleanup };
    };
    const operations = requests.map(operationOf);
    await this.#cleaner.close(operations);
    this.#cleaner.before(operations);
    this.note('cut');
    write();
    this.#cleaner.after(deleted.map(operationOf));
  }

  /** Ends it as a signal does; throws if a timer is left. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#ended;
    if (this.clock.pending() > 0) throw new Error('a timer is left');
  }
}
