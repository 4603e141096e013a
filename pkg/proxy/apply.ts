import { isNotFound } from '../errno/errno.ts';
import type { Firewall, Ruleset } from '../firewall/firewall.ts';
import type { Family } from '../ip/address.ts';
import type { EntryWrite, IpSets } from '../ipset/ipset.ts';
import type { IpvsWrite, VirtualServerId } from '../ipvs/ipvs.ts';
import type { AddressWrite, Links } from '../links/links.ts';
import { Breather } from '../runner/lane.ts';
import type { DrainRequest } from './drain-list.ts';
import type { Mirror } from './mirror.ts';
import type { Operation } from './operation.ts';
import type { ServerWrite, ServerWriter } from './server-writer.ts';
import type { SetId } from './sets.ts';

/** The device that carries the addresses of Services. */
export const deviceName = 'kube-ipvs0';

/** What a plan is carried out with. */
export interface ApplyContext {
  readonly servers: ServerWriter;
  readonly ipsets: IpSets;
  readonly links: Links;
  readonly firewall: Firewall;
  readonly mirror: Mirror;
  /** A family's rules, given the sets that have entries. */
  readonly rules: (family: Family, nonEmpty: ReadonlySet<SetId>) => Promise<Ruleset>;
  /** Begins to drain real servers whose weight is 0 now. */
  readonly drain: (requests: readonly DrainRequest[]) => Promise<void>;
  /** Deletes flows that began before their server stood; it may happen later. */
  readonly forgetFlows: (servers: readonly VirtualServerId[]) => void;
  /** Called after every batch: the program lives. */
  readonly onProgress: () => void;
  readonly now: () => number;
}

/** An operation that failed, and why. */
export interface FailedOperation {
  readonly operation: Operation;
  readonly error: Error;
}

type ServerOperation = Extract<Operation, { server: unknown }>;
type EntryOperation = Extract<Operation, { kind: 'addEntry' | 'deleteEntry' }>;
type AddressOperation = Extract<Operation, { address: unknown }>;
type OtherOperation = Exclude<Operation, ServerOperation | EntryOperation | AddressOperation>;

/** How many operations of a kind go into one call, so that none holds the event loop for long. */
const batchSizes = { server: 128, entry: 2048, address: 64 } as const;

/**
 * Carries out a plan: neighbouring operations of a kind go to the kernel in batches. Tries every one,
 * records in the mirror what succeeded, decides nothing, and gives back what failed.
 */
export async function apply(
  operations: readonly Operation[],
  context: ApplyContext,
): Promise<readonly FailedOperation[]> {
  const failed: FailedOperation[] = [];
  const drains: DrainRequest[] = [];
  const breather = new Breather(context.now);
  for (const batch of batches(operations)) {
    failed.push(...(await applyBatch(batch, context)));
    collectDrains(batch, { failed, drains });
    context.onProgress();
    await breather.breathe();
  }
  await context.drain(drains);
  return failed;
}

type Interface = keyof typeof batchSizes | 'other';

function interfaceOf({ kind }: Operation): Interface {
  switch (kind) {
    case 'addEntry':
    case 'deleteEntry':
      return 'entry';
    case 'bindAddress':
    case 'unbindAddress':
      return 'address';
    case 'addVirtualServer':
    case 'updateVirtualServer':
    case 'deleteVirtualServer':
    case 'addRealServer':
    case 'weighRealServer':
    case 'drainRealServer':
    case 'replaceRealServer':
      return 'server';
    case 'makeDevice':
    case 'createSet':
    case 'setRules':
    case 'forgetFlows':
      return 'other';
  }
}

/** Runs of operations of one kind, cut at the batch size; the others one by one. */
function* batches(operations: readonly Operation[]): Generator<readonly Operation[]> {
  let batch: Operation[] = [];
  let current: Interface = 'other';
  for (const operation of operations) {
    const next = interfaceOf(operation);
    const limit = current === 'other' ? 1 : batchSizes[current];
    if (batch.length > 0 && (next !== current || batch.length >= limit)) {
      yield batch;
      batch = [];
    }
    current = next;
    batch.push(operation);
  }
  if (batch.length > 0) yield batch;
}

async function applyBatch(
  batch: readonly Operation[],
  context: ApplyContext,
): Promise<readonly FailedOperation[]> {
  const [first] = batch;
  if (first === undefined) return [];
  try {
    switch (interfaceOf(first)) {
      // The casts hold because a batch is of one kind throughout.
      case 'server':
        return writeServers(batch as readonly ServerOperation[], context);
      case 'entry':
        return writeEntries(batch as readonly EntryOperation[], context);
      case 'address':
        return writeAddresses(batch as readonly AddressOperation[], context);
      case 'other':
        await applyOne(first as OtherOperation, context);
        return [];
    }
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    return batch.map((operation) => ({ operation, error }));
  }
}

function writeServers(
  batch: readonly ServerOperation[],
  { servers }: ApplyContext,
): readonly FailedOperation[] {
  const failures = servers.write(batch.map(toServerWrite));
  return failures.flatMap(({ index, error }) => {
    const operation = batch[index];
    const isDone = operation?.kind === 'deleteVirtualServer' && isNotFound(error);
    return operation === undefined || isDone ? [] : [{ operation, error }];
  });
}

function toServerWrite(operation: ServerOperation): ServerWrite {
  switch (operation.kind) {
    case 'addVirtualServer':
    case 'updateVirtualServer':
    case 'deleteVirtualServer':
      return { write: operation satisfies IpvsWrite };
    case 'addRealServer':
      return {
        write: { kind: 'addRealServer', server: operation.server, backend: operation.backend },
        podUid: operation.podUid,
      };
    case 'weighRealServer':
    case 'drainRealServer':
    case 'replaceRealServer':
      return {
        write: { kind: 'updateRealServer', server: operation.server, backend: operation.backend },
        podUid: operation.podUid,
      };
  }
}

function writeEntries(
  batch: readonly EntryOperation[],
  { ipsets, mirror }: ApplyContext,
): readonly FailedOperation[] {
  const failures = ipsets.write(batch satisfies readonly EntryWrite[]);
  return settle(batch, failures, ({ kind, set, entry }) =>
    mirror.recordEntry(set, { entry, isPresent: kind === 'addEntry' }),
  );
}

function writeAddresses(
  batch: readonly AddressOperation[],
  { links, mirror }: ApplyContext,
): readonly FailedOperation[] {
  const writes: AddressWrite[] = batch.map(({ kind, address }) => ({
    kind,
    link: deviceName,
    address,
  }));
  return settle(batch, links.write(writes), ({ kind, address }) => {
    if (kind === 'bindAddress') mirror.bound.add(address);
    else mirror.bound.delete(address);
  });
}

/** Records the operations that succeeded and gives back the others. */
function settle<T extends Operation>(
  batch: readonly T[],
  failures: readonly { readonly index: number; readonly error: Error }[],
  record: (operation: T) => void,
): readonly FailedOperation[] {
  const errors = new Map(failures.map(({ index, error }) => [index, error]));
  return batch.flatMap((operation, index) => {
    const error = errors.get(index);
    if (error !== undefined) return [{ operation, error }];
    record(operation);
    return [];
  });
}

async function applyOne(operation: OtherOperation, context: ApplyContext): Promise<void> {
  const { ipsets, links, firewall, mirror } = context;
  switch (operation.kind) {
    case 'makeDevice':
      links.ensureDummy(deviceName);
      mirror.hasDevice = true;
      return;
    case 'createSet':
      ipsets.create(operation.header);
      mirror.sets.set(operation.header.name, new Map());
      return;
    case 'setRules':
      mirror.rules.delete(operation.family);
      await firewall.apply(
        operation.family,
        await context.rules(operation.family, operation.nonEmpty),
      );
      mirror.rules.set(operation.family, operation.nonEmpty);
      return;
    case 'forgetFlows':
      context.forgetFlows(operation.servers);
      return;
  }
}

function collectDrains(
  batch: readonly Operation[],
  { failed, drains }: { failed: readonly FailedOperation[]; drains: DrainRequest[] },
): void {
  const failedOnes = new Set(failed.map(({ operation }) => operation));
  for (const operation of batch) {
    const isOnItsWay =
      operation.kind === 'drainRealServer' || operation.kind === 'replaceRealServer';
    if (isOnItsWay && !failedOnes.has(operation)) drains.push(operation);
  }
}
