import { printHostPort } from '../ip/address.ts';
import { printVirtualServer } from '../ipvs/ipvs.ts';
import { printDuration } from '../runner/duration.ts';
import { columns, type Paint, plain } from '../terminal/terminal.ts';
import type {
  AddressKind,
  DrainReport,
  FailureStatus,
  NodeStatus,
  RealServerReport,
  ServiceStatus,
  SyncStatus,
  Time,
  VirtualServerReport,
  VirtualServerState,
} from './report.ts';

/** How a report is printed. */
export interface PrintOptions {
  readonly paint: Paint;
  /** The time of the report, which times are told by. */
  readonly time: Time;
}

/** The state of a node as lines, for people. */
export function printNode(node: NodeStatus, options: PrintOptions): readonly string[] {
  const { paint, time } = options;
  const { services, failedServices, conflicts, draining } = node.counts;
  const counts = [
    counted(services, 'Service'),
    `${failedServices} failing`,
    counted(conflicts, 'conflict'),
    counted(draining, 'drain'),
  ];
  return [
    paint(
      'bold',
      plain(`Node ${node.name}: kube-proxy ${node.program} since ${ago(node.started, time)}`),
    ),
    `${counts.join(', ')}${node.hasSynced ? '' : paint('yellow', '; the first sync goes on')}`,
    ...printSyncs(node.syncs, options),
    printDrift(node, time),
    ...printFailures('All Services', node, options),
  ];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

const syncNames: Readonly<Record<SyncStatus['kind'], string>> = {
  first: 'First sync',
  changes: 'Changes carried out',
  audit: 'Kernel audited',
};

/** The last sync of each kind. */
function printSyncs(syncs: readonly SyncStatus[], { paint, time }: PrintOptions) {
  const kinds = [...new Set(syncs.map(({ kind }) => kind))];
  return kinds.flatMap((wanted) => {
    const last = syncs.find(({ kind }) => kind === wanted);
    if (last === undefined) return [];
    const result = last.isSuccess ? '' : paint('red', ', failed');
    return [
      `${syncNames[wanted]} ${ago(last.time, time)} ago, in ${printDuration(last.milliseconds)}${result}`,
    ];
  });
}

function printDrift({ minutes }: NodeStatus, now: Time): string {
  const sums = new Map<string, number>();
  for (const { repairs } of minutes)
    for (const [kind, count] of Object.entries(repairs))
      sums.set(kind, (sums.get(kind) ?? 0) + count);
  const last = minutes.findLast(({ examples }) => examples.length > 0);
  if (last === undefined) return 'No drift in the last hour';
  const kinds = [...sums].map(([kind, count]) => `${count} ${kind}`).join(', ');
  const example = `${ago(last.time, now)} ago: ${last.examples[0] ?? ''}`;
  return plain(`Drift repaired in the last hour: ${kinds}; ${example}`);
}

/** Some Services as lines, for people, with columns that are common to all of them. */
export function printServices(
  services: readonly ServiceStatus[],
  options: PrintOptions,
): readonly string[] {
  const rows = services.flatMap(({ virtualServers }) =>
    virtualServers.map((one) => virtualServerCells(one).map(plain)),
  );
  const virtualServers = columns(rows).values();
  const inner = services.flatMap(({ virtualServers }) =>
    virtualServers.flatMap(({ realServers }) =>
      realServers.map((one) => realServerCells(one, options.time).map(plain)),
    ),
  );
  const realServers = columns(inner).values();
  return services.flatMap((service) =>
    printService(service, { ...options, virtualServers, realServers }),
  );
}

interface ServiceOptions extends PrintOptions {
  /** The lines of the virtual servers and of the real servers, in their order. */
  readonly virtualServers: Iterator<string>;
  readonly realServers: Iterator<string>;
}

function printService(service: ServiceStatus, options: ServiceOptions): readonly string[] {
  const { paint, virtualServers, realServers } = options;
  const { namespace, name, isDeleted, unhonoured, moreUnhonoured, moreVirtualServers } = service;
  const title = name === '' ? 'No Service is known' : `${namespace}/${name}`;
  const notes = unhonoured.map(({ reason, field, value }) => `${field} ${value}: ${reason}`);
  return [
    '',
    paint('bold', plain(`${title}${isDeleted && name !== '' ? ' (deleted)' : ''}`)),
    ...notes.map((note) => paint('yellow', plain(`  not honoured: ${note}`))),
    ...more('  ', { count: moreUnhonoured, what: 'not honoured' }),
    ...printFailures('  failed', service, options),
    ...service.virtualServers.flatMap((one) => [
      paintedVirtualServer(`  ${next(virtualServers)}`, { state: one.state, paint }),
      ...one.realServers.map((rs) => paintedRealServer(`    ${next(realServers)}`, { rs, paint })),
      ...more('    ', { count: one.moreRealServers, what: 'real servers' }),
    ]),
    ...more('  ', { count: moreVirtualServers, what: 'virtual servers' }),
  ];
}

function next(lines: Iterator<string>): string {
  const { value } = lines.next();
  return typeof value === 'string' ? value : '';
}

function more(indent: string, { count, what }: { count: number; what: string }): readonly string[] {
  return count === 0 ? [] : [`${indent}and ${count} more ${what} (--address shows those of one)`];
}

function printFailures(
  title: string,
  { failures, moreFailures }: { failures: readonly FailureStatus[]; moreFailures: number },
  { paint, time }: PrintOptions,
): readonly string[] {
  const lines = failures.map((failure) => plain(`${title}: ${failureText(failure, time)}`));
  const rest = moreFailures === 0 ? [] : [`${title}: ${moreFailures} more objects`];
  return [...lines, ...rest].map((line) => paint('red', line));
}

/** What failed, since when, and when it is tried again. */
export function failureText(
  { object, error, since, nextAttempt }: FailureStatus,
  now: Time,
): string {
  return `${object}: ${error}, for ${ago(since, now)}, tried again in ${ago(now, nextAttempt)}`;
}

const kinds: Readonly<Record<AddressKind, string>> = {
  clusterIP: 'cluster IP',
  nodePort: 'node port',
  externalIP: 'external IP',
  loadBalancer: 'load balancer',
};

function virtualServerCells(virtualServer: VirtualServerReport): readonly string[] {
  const { addressKind, servicePort, scheduler, flags, affinitySeconds } = virtualServer;
  const affinity = affinitySeconds === 0 ? [] : [`affinity ${affinitySeconds}s`];
  const port = servicePort === null ? '' : servicePort.name || String(servicePort.port);
  const parameters = flags.filter((flag) => flag !== 'persistent');
  return [
    printVirtualServer(virtualServer),
    addressKind === null ? '' : kinds[addressKind],
    port === '' ? '' : `port ${port}`,
    [scheduler, ...parameters, ...affinity].join(' '),
    stateText(virtualServer),
  ];
}

function stateText({ state, lostTo, realServers }: VirtualServerReport): string {
  switch (state) {
    case 'served':
      return realServers.some((one) => one.state === 'serving') ? '' : 'no endpoint';
    case 'missing':
      return 'missing in the kernel';
    case 'unknown':
      return 'a write failed, and it is not known what the kernel has';
    case 'lost':
      return `Service ${lostTo ?? ''} has it`;
    case 'retired':
      return 'not wanted any more; its real servers drain';
    case 'leaving':
      return 'being deleted';
    case 'unowned':
      return '';
  }
}

const wrongStates: ReadonlySet<VirtualServerState> = new Set(['missing', 'unknown', 'lost']);

function paintedVirtualServer(
  line: string,
  { state, paint }: { state: VirtualServerState; paint: Paint },
): string {
  if (wrongStates.has(state)) return paint('red', line);
  return state === 'retired' || state === 'leaving' ? paint('dim', line) : line;
}

function realServerCells(realServer: RealServerReport, now: Time): readonly string[] {
  const { address, port, state, weight, node, drain } = realServer;
  const counts = realServer.connections ?? drain?.connections ?? null;
  return [
    printHostPort(address, port),
    weight === null ? '' : `weight ${weight}`,
    counts === null ? '' : `${counts.active} active`,
    counts === null ? '' : `${counts.inactive} inactive`,
    node ?? '',
    state === 'serving' ? '' : state,
    drain === null ? '' : drainText(drain, now),
  ];
}

const podTexts: Readonly<Record<DrainReport['pod'], string>> = {
  alive: 'its endpoint is not chosen any more',
  dying: 'its pod terminates and does not serve',
  left: 'its pod left its EndpointSlices',
  gone: 'its pod is gone',
  unseen: 'no EndpointSlice has named it since the start',
};

/** Why a real server drains, since when, and until when. */
export function drainText({ cause, pod, since, until, ending }: DrainReport, now: Time): string {
  const why =
    cause === 'virtualServer'
      ? 'its virtual server goes'
      : cause === 'successor'
        ? 'another pod has its address'
        : podTexts[pod];
  const end =
    ending !== null
      ? `ends now (${ending})`
      : until === null
        ? 'until it has no connections'
        : `${ago(now, until)} at most`;
  return `${why}; for ${ago(since, now)}, ${end}`;
}

function paintedRealServer(
  line: string,
  { rs: { state }, paint }: { rs: RealServerReport; paint: Paint },
): string {
  if (state === 'missing') return paint('red', line);
  return state === 'serving' ? line : paint('yellow', line);
}

/** How long it is from one time to a later one, in whole seconds. */
export function ago(from: Time, to: Time): string {
  const milliseconds = Math.max(0, Date.parse(to) - Date.parse(from));
  return printDuration(Math.round(milliseconds / 1000) * 1000);
}
