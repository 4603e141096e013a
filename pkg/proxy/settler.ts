import { isNotFound } from '../errno/errno.ts';
import type { Family, IpAddress } from '../ip/address.ts';
import type { Logger } from '../log/log.ts';
import { Breather } from '../runner/lane.ts';
import { type ApplyContext, apply, type FailedOperation } from './apply.ts';
import type { GracefulTerminationManager } from './graceful.ts';
import { Keys } from './keys.ts';
import type { Ledger } from './ledger.ts';
import type { Mirror } from './mirror.ts';
import { type Operation, printOperation } from './operation.ts';
import { plan, urgency } from './plan.ts';
import type { Replacements } from './replacements.ts';
import type { Reporter } from './reporter.ts';
import type { Retries } from './retries.ts';

/** What the settler works with. */
export interface SettlerOptions {
  readonly ledger: Ledger;
  readonly mirror: Mirror;
  readonly graceful: GracefulTerminationManager;
  readonly retries: Retries;
  readonly replacements: Replacements;
  /** The uid of the pod that has an address behind a virtual server, by its key; '' if that is not known. */
  readonly podOn: (server: string, address: IpAddress) => string;
  readonly applyContext: ApplyContext;
  readonly families: readonly Family[];
  readonly reporter: Reporter;
  readonly log: Logger;
}

/** What came of settling some keys. */
export interface Settlement {
  /** Nothing failed that all Services share. */
  readonly isSuccess: boolean;
  /** Something is not in the kernel that should be: the mirror is wrong, read it all again. */
  readonly isAstray: boolean;
  /** When failed operations are to be tried again, if some failed. */
  readonly retryAt: number | undefined;
}

/** How many virtual servers are planned at once: a batch of addresses follows them, and then the event loop may turn. */
const planSize = 64;

/** Plans for some keys, carries the plan out, and accounts for what happened. */
export class Settler {
  readonly #options: SettlerOptions;

  constructor(options: SettlerOptions) {
    this.#options = options;
  }

  /** Makes the kernel right for some keys. Inside the lane only. */
  async settle(keys: Keys, { isRepair = false } = {}): Promise<Settlement> {
    const { ledger, mirror, graceful, applyContext, families, retries, replacements } =
      this.#options;
    const isDraining = graceful.isDraining.bind(graceful);
    const isEndingNow = graceful.isEndingNow.bind(graceful);
    const isResting = replacements.isResting.bind(replacements);
    const failures: FailedOperation[] = [];
    const breather = new Breather(applyContext.now);
    for (const part of this.#parts(keys)) {
      this.#learnPods(part);
      const operations = plan({
        wanted: ledger,
        held: mirror,
        keys: part,
        isDraining,
        isEndingNow,
        isResting,
        families,
      });
      const failed = await apply(operations, applyContext);
      this.#account(operations, { failed, isRepair });
      failures.push(...failed);
      await breather.breathe();
    }
    await replacements.verify();
    return {
      isSuccess: !failures.some(({ operation }) => isShared(operation)),
      isAstray: failures.some(({ error, operation }) => isShared(operation) || isNotFound(error)),
      retryAt: retries.note(failures),
    };
  }

  /** Many keys in parts: entries first, then virtual servers by urgency, an address with the last of its servers. */
  *#parts(keys: Keys): Generator<Keys> {
    if (keys.servers.size <= planSize) {
      yield keys;
      return;
    }
    yield entriesOnly(keys);
    const { ledger } = this.#options;
    const byUrgency = (one: string, other: string) =>
      urgency(ledger.claim(one)) - urgency(ledger.claim(other));
    const servers = [...keys.servers].sort(byUrgency);
    const addressOf = (key: string) => ledger.claim(key)?.frontEnd.server.address;
    const lastServers = new Map(servers.map((key) => [addressOf(key), key]));
    for (let start = 0; start < servers.length; start += planSize) {
      const part = new Keys();
      for (const key of servers.slice(start, start + planSize)) {
        part.servers.add(key);
        const address = addressOf(key);
        const isLast = address !== undefined && lastServers.get(address) === key;
        if (isLast && keys.addresses.has(address)) part.addresses.add(address);
      }
      yield part;
    }
    const rest = new Keys();
    for (const address of keys.addresses)
      if (!lastServers.has(address)) rest.addresses.add(address);
    yield rest;
  }

  #account(
    operations: readonly Operation[],
    { failed, isRepair }: { failed: readonly FailedOperation[]; isRepair: boolean },
  ): void {
    const { log, reporter } = this.#options;
    const failures = new Set(failed.map(({ operation }) => operation));
    const counts = new Map<Operation['kind'], { done: number; failed: number }>();
    for (const operation of operations) {
      const isSuccess = !failures.has(operation);
      const count = counts.get(operation.kind) ?? { done: 0, failed: 0 };
      counts.set(operation.kind, count);
      if (isSuccess) count.done++;
      else count.failed++;
      // Forgetting flows mends nothing by itself: it follows from what was added.
      const isMending = isRepair && operation.kind !== 'forgetFlows';
      if (isMending) reporter.repaired(operation.kind);
      if (isMending) log.info('repaired', { operation: printOperation(operation) });
      else log.v(4)?.info('applied', { operation: printOperation(operation) });
      if (operation.kind === 'setRules' && !isSuccess) reporter.rulesFailed(operation.family);
      if (isSuccess) this.#follow(operation);
    }
    for (const [kind, count] of counts) reporter.operations(kind, count);
  }

  /** Tells those that look after real servers what was done about one. */
  #follow(operation: Operation): void {
    const { graceful, replacements } = this.#options;
    if (operation.kind === 'weighRealServer' && operation.backend.weight > 0) {
      graceful.forget(operation.server, operation.backend);
    } else if (operation.kind === 'addRealServer') {
      replacements.added(operation.server, { ...operation.backend, podUid: operation.podUid });
    }
  }

  /** Real servers that were found in the kernel are taken for the pods that they are wanted for, or that have their address now. */
  #learnPods({ servers }: Keys): void {
    const { ledger, mirror, podOn } = this.#options;
    for (const key of servers) {
      const held = mirror.servers.get(key)?.realServers;
      for (const [id, backend] of held ?? []) {
        if (backend.podUid !== '') continue;
        const podUid = ledger.wantedRealServer(key, id)?.podUid ?? podOn(key, backend.address);
        if (podUid !== '') held?.set(id, { ...backend, podUid });
      }
    }
  }
}

/** Whether every Service depends on it. */
function isShared({ kind }: Operation): boolean {
  return kind === 'makeDevice' || kind === 'createSet' || kind === 'setRules';
}

function entriesOnly(keys: Keys): Keys {
  const entries = new Keys();
  for (const [set, some] of keys.entries) entries.entries.set(set, some);
  return entries;
}
