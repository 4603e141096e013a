import type { Flow } from '../conntrack/conntrack.ts';
import type { Prefix } from '../ip/prefix.ts';
import { type VirtualServerId, virtualServerKey } from '../ipvs/ipvs.ts';
import type { Source } from '../kube/types.ts';
import type { Logger } from '../log/log.ts';
import { createProxier } from '../proxy/create.ts';
import { planLeftovers } from '../proxy/leftovers/plan.ts';
import type { LeftoverRemoval } from '../proxy/leftovers/removal.ts';
import type { Ports, ProxierSettings } from '../proxy/options.ts';
import type { SingleOperation } from '../proxy/plan/operation.ts';
import type { Proxier } from '../proxy/proxier.ts';
import type { Removals } from '../proxy/reporter.ts';
import type { Clock } from '../runner/clock.ts';
import { ProgressBoard } from '../runner/progress.ts';
import { Yielder } from '../runner/yielder.ts';
import { type AffectedConnections, affectedConnections } from './connections.ts';
import { PreviewIpvs } from './ipvs.ts';
import { previewKernel } from './kernel.ts';
import type { NodeReader } from './node.ts';
import { previewReporter } from './reporter.ts';
import { PreviewRules, type RuleChange } from './rules.ts';

/** An operation, and the Service that it is for as `namespace/name`; '' for what all Services share. */
export interface PlannedOperation {
  readonly operation: SingleOperation;
  readonly service: string;
}

/** What a start would change on a node until the end of its first sync. */
export interface Preview {
  /** In order. Those that ask for rules, flows or leftovers are not among them: what they do is below. */
  readonly operations: readonly PlannedOperation[];
  readonly rules: readonly RuleChange[];
  readonly leftovers: readonly LeftoverRemoval[];
  /** Chains of other modes that stay, as rules of others lead into them. */
  readonly held: readonly string[];
  readonly deletedFlows: readonly Flow[];
  readonly connections: readonly AffectedConnections[];
  /** What the API omits and would only be deleted after a second read of it, as it is much at once. */
  readonly undecided: Removals;
}

export interface PreviewOptions {
  readonly node: NodeReader;
  readonly source: Source;
  readonly settings: ProxierSettings;
  /** The ranges of VIPs that are read from the cluster, where the settings name none; `undefined` where none are read. */
  readonly serviceRanges?: readonly Prefix[] | undefined;
  readonly serviceOptionsOf: Ports['serviceOptionsOf'];
  readonly clock: Clock;
  readonly log: Logger;
  /** Where it shows how far it has come. */
  readonly progress?: ProgressBoard | undefined;
  /** Aborts when the preview is to be given up. */
  readonly signal: AbortSignal;
}

/**
 * Finds out what a start would change on a node: runs the proxier's first sync over a copy of what the node holds. Nothing is
 * written. Throws what reading throws, and the reason of the signal if that aborts before the end.
 */
export async function preview(options: PreviewOptions): Promise<Preview> {
  const { node, settings, signal, clock, progress = new ProgressBoard() } = options;
  const before = await progress.during({ stage: 'reading virtual servers' }, (stage) =>
    PreviewIpvs.read(node.ipvs, { clock, onRead: () => stage.add() }),
  );
  const rules = new PreviewRules(node);
  const flows: Flow[] = [];
  const kernel = previewKernel(node, {
    ipvs: await PreviewIpvs.read(before, { clock }),
    rules,
    onDeletedFlows: (deleted) => void flows.push(...deleted),
  });
  const { operations, undecided } = await firstSync(kernel, options);
  signal.throwIfAborted();
  const primary = settings.families[0] ?? 'IPv4';
  const { flavour } = await rules.capabilities(primary);
  const yielder = new Yielder(() => clock.now());
  const { removals, held } = await planLeftovers(
    { rules: await rules.read(), nftTables: await kernel.nftTables.tables() },
    { flavour, families: settings.families, pause: () => yielder.yieldIfDue() },
  );
  return {
    operations: operations.filter(({ operation }) => !requests.has(operation.kind)),
    rules: await rules.changes(),
    leftovers: removals,
    held,
    deletedFlows: flows,
    connections: affectedConnections(
      operations.map(({ operation }) => operation),
      (virtualServer, realServer) => before.connectionsOf(virtualServer, realServer),
    ),
    undecided,
  };
}

/** Operations that only ask for work that is done apart. */
const requests: ReadonlySet<SingleOperation['kind']> = new Set([
  'setRules',
  'withdrawRules',
  'removeLeftovers',
  'forgetFlows',
  'reconcileFlows',
]);

/** Runs a proxier until its first sync is over. */
async function firstSync(
  kernel: ReturnType<typeof previewKernel>,
  options: PreviewOptions,
): Promise<{ operations: readonly PlannedOperation[]; undecided: Removals }> {
  const { source, settings, serviceRanges, serviceOptionsOf, clock, log, progress, signal } =
    options;
  const operations: PlannedOperation[] = [];
  let undecided: Removals = { virtualServers: 0, realServers: 0 };
  const stop = new AbortController();
  const reporter = previewReporter({
    firstSyncDone: () => stop.abort(),
    state: (state) => void (undecided = state.undecided),
  });
  const onApplied = (applied: readonly SingleOperation[]) => {
    // What the manager of drains does later is no part of the first sync.
    if (stop.signal.aborted) return;
    for (const operation of applied)
      operations.push({
        operation,
        service: ownerOf(operation, proxier.view),
      });
  };
  const confirm = source.confirm?.bind(source);
  const proxier = createProxier(kernel, settings, {
    clock,
    log,
    reporter,
    serviceOptionsOf,
    progress,
    confirm,
    onApplied,
  });
  // A start may read them later. What it changes in the end is the same.
  if (serviceRanges !== undefined) proxier.useVipRanges(serviceRanges);
  const both = AbortSignal.any([signal, stop.signal]);
  // If one of them fails, the other one ends.
  const ending = (run: Promise<void>) => run.finally(() => stop.abort());
  await Promise.all([
    ending(source.run((change) => proxier.onChange(change), both)),
    ending(proxier.run(both)),
  ]);
  return { operations, undecided };
}

/** The Service that an operation is for; '' if there is none. */
function ownerOf(operation: SingleOperation, { ledger }: Proxier['view']): string {
  const about = virtualServerOf(operation);
  const owner = about === undefined ? undefined : ledger.lastOwner(virtualServerKey(about));
  return owner === undefined ? '' : `${owner.namespace}/${owner.name}`;
}

function virtualServerOf(operation: SingleOperation): VirtualServerId | undefined {
  if ('virtualServer' in operation) return operation.virtualServer;
  if (!('entry' in operation) || !('protocol' in operation.entry)) return undefined;
  const { ip: address, protocol, port } = operation.entry;
  return { address, protocol, port };
}
