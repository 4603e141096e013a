import { printFlow } from '../conntrack/conntrack.ts';
import { printRealServer, printVirtualServer } from '../ipvs/ipvs.ts';
import { printRemoval } from '../proxy/leftovers/removal.ts';
import type { SingleOperation } from '../proxy/plan/operation.ts';
import { painter, plain } from '../terminal/terminal.ts';
import type { AffectedConnections } from './connections.ts';
import type { Preview } from './preview.ts';
import type { RuleChange } from './rules.ts';
import type { SettingChange } from './settings.ts';
import { countKinds, summarize } from './summary.ts';

/** A preview with what a start does to the node besides. */
export interface NodePreview extends Preview {
  readonly node: string;
  readonly settings: readonly SettingChange[];
  /** Kernel modules that are not loaded, and that a start loads or makes the kernel load. */
  readonly modules: readonly string[];
}

/** How many Services and lines of a kind are printed, unless everything is asked for. */
const mostLines = 50;

/** Whether a start would change nothing. */
export function isNothingToDo(found: NodePreview): boolean {
  const { operations, rules, leftovers, deletedFlows, settings, modules, undecided } = found;
  const lists = [operations, rules, leftovers, deletedFlows, settings, modules];
  return (
    lists.every(({ length }) => length === 0) &&
    undecided.virtualServers + undecided.realServers === 0
  );
}

/** How a preview is printed. */
export interface PrintOptions {
  /** Whether every operation, rule and flow has its line. */
  readonly isWhole: boolean;
  /** Whether escape sequences for colours are written. */
  readonly isColoured?: boolean;
}

/** A preview for people. */
export function printPreview(
  found: NodePreview,
  { isWhole, isColoured = false }: PrintOptions,
): string {
  const paint = painter({ isColoured });
  const section = (title: string, lines: readonly string[]) =>
    lines.length === 0
      ? []
      : [[paint('bold', `${title}:`), ...lines.map((line) => plain(`  ${line}`))].join('\n')];
  const sections = [
    section('Kernel modules that are loaded', found.modules),
    section('Kernel settings', found.settings.map(printSetting)),
    section(
      'Rules',
      found.rules.flatMap((change) => printRules(change, isWhole)),
    ),
    section('Left by another mode of kube-proxy, and removed', found.leftovers.map(printRemoval)),
    section(
      'Left by another mode of kube-proxy, and kept, as rules of others lead there',
      found.held,
    ),
    section('Operations', [...countKinds(found.operations)].map(printCount)),
    section('Services', printServices(found, isWhole)),
    section(
      'Conntrack flows that are deleted',
      limited(found.deletedFlows.map(printFlow), isWhole),
    ),
    section('Connections', limited(found.connections.map(printConnections), isWhole)),
    section('Kept until a second read of the API omits it too', printUndecided(found)),
  ];
  const head = paint('bold', `Node ${plain(found.node)}`);
  const end = paint(isNothingToDo(found) ? 'green' : 'yellow', verdict(found));
  return `${[head, ...sections.flat(), end].join('\n\n')}\n`;
}

/** A preview for programs, as one JSON value. */
export function previewJson(found: NodePreview): unknown {
  const { node, modules, settings, rules, leftovers, held, undecided } = found;
  return {
    version: 1,
    node,
    isNothingToDo: isNothingToDo(found),
    modules,
    settings,
    rules,
    leftovers: leftovers.map(printRemoval),
    heldChains: held,
    services: summarize(found.operations).map(({ service, counts, operations }) => ({
      service,
      counts: Object.fromEntries(counts),
      operations,
    })),
    deletedFlows: found.deletedFlows.map(printFlow),
    connections: found.connections.map(({ effect, connections, ...place }) => ({
      effect,
      place: printPlace(place),
      connections,
    })),
    undecided,
  };
}

function limited(lines: readonly string[], isWhole: boolean): readonly string[] {
  if (isWhole || lines.length <= mostLines) return lines;
  return [...lines.slice(0, mostLines), `and ${lines.length - mostLines} more (-o wide has all)`];
}

function printSetting({ path, before, value }: SettingChange): string {
  return `${path}: ${before ?? 'unset'} -> ${value}`;
}

function printRules(change: RuleChange, isWhole: boolean): readonly string[] {
  const { family, added, removed, isReordered } = change;
  const what = isReordered
    ? 'the same rules in another order'
    : `${added.length} lines are added, ${removed.length} go`;
  const lines = [...removed.map((line) => `  - ${line}`), ...added.map((line) => `  + ${line}`)];
  return [`${family}: ${what}`, ...(isWhole ? lines : [])];
}

function printServices({ operations }: Preview, isWhole: boolean): readonly string[] {
  const lines = summarize(operations).flatMap(({ service, counts, operations: all }) => [
    `${service === '' ? '(shared)' : service}: ${[...counts].map(printCount).join(', ')}`,
    ...(isWhole ? all.map((line) => `  ${line}`) : []),
  ]);
  return limited(lines, isWhole);
}

/** What is done, with one and with several. */
const words: Readonly<Record<SingleOperation['kind'], readonly [string, string]>> = {
  makeDevice: ['device added', 'devices added'],
  createSet: ['set created', 'sets created'],
  swapSets: ['set swapped', 'sets swapped'],
  destroySet: ['set destroyed', 'sets destroyed'],
  addEntry: ['set entry added', 'set entries added'],
  deleteEntry: ['set entry deleted', 'set entries deleted'],
  setRules: ['write of rules', 'writes of rules'],
  withdrawRules: ['removal of rules', 'removals of rules'],
  removeLeftovers: ['removal of leftovers', 'removals of leftovers'],
  addVirtualServer: ['virtual server added', 'virtual servers added'],
  updateVirtualServer: ['virtual server changed', 'virtual servers changed'],
  deleteVirtualServer: ['virtual server deleted', 'virtual servers deleted'],
  addRealServer: ['real server added', 'real servers added'],
  weighRealServer: ['real server changed', 'real servers changed'],
  drainRealServer: ['real server drained', 'real servers drained'],
  replaceRealServer: ['real server replaced', 'real servers replaced'],
  deleteRealServer: ['real server deleted', 'real servers deleted'],
  bindAddress: ['address added', 'addresses added'],
  unbindAddress: ['address deleted', 'addresses deleted'],
  addRoute: ['local route added or changed', 'local routes added or changed'],
  deleteRoute: ['local route deleted', 'local routes deleted'],
  forgetFlows: ['look for old flows', 'looks for old flows'],
  reconcileFlows: ['look for UDP flows', 'looks for UDP flows'],
};

function printCount([kind, count]: [SingleOperation['kind'], number]): string {
  return `${count} ${words[kind][count === 1 ? 0 : 1]}`;
}

function printPlace({
  virtualServer,
  realServer,
}: Pick<AffectedConnections, 'virtualServer' | 'realServer'>): string {
  const place = printVirtualServer(virtualServer);
  return realServer === undefined ? place : `${place} ${printRealServer(realServer)}`;
}

function printConnections({ effect, connections, ...place }: AffectedConnections): string {
  return `${printPlace(place)}: ${connections} ${effect}`;
}

function printUndecided({ undecided }: Preview): readonly string[] {
  const { virtualServers, realServers } = undecided;
  if (virtualServers + realServers === 0) return [];
  return [`${virtualServers} virtual servers, ${realServers} real servers`];
}

function verdict(found: NodePreview): string {
  if (isNothingToDo(found)) return 'Nothing to do: the node is as it should be.';
  const sum = (effect: AffectedConnections['effect']) =>
    found.connections
      .filter((each) => each.effect === effect)
      .reduce((total, { connections }) => total + connections, 0);
  const { length } = found.operations;
  return `A start carries out ${length} operations; it cuts ${sum('cut')} connections and drains ${sum('drained')}.`;
}
