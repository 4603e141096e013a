import { setTimeout as sleep } from 'node:timers/promises';
import { compilingFirstSync, postponeOptimization } from '../../cmd/kube-proxy/optimization.ts';
import { createReporter } from '../../cmd/kube-proxy/reporter.ts';
import { FakeIpvsConnections } from '../../pkg/connections/fake.ts';
import { NetlinkConntrack } from '../../pkg/conntrack/netlink.ts';
import { nftGeneration } from '../../pkg/firewall/generation.ts';
import { hasProgram, type Machine } from '../../pkg/firewall/iptables.ts';
import { type RunProcess, runProcess } from '../../pkg/firewall/process.ts';
import { RestoreFirewall } from '../../pkg/firewall/restore.ts';
import { ProgramTables } from '../../pkg/firewall/rule-tables.ts';
import { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import type { Family } from '../../pkg/ip/address.ts';
import { NetlinkIpSets } from '../../pkg/ipset/netlink.ts';
import { openIpvs } from '../../pkg/ipvs/netlink.ts';
import { Reducer } from '../../pkg/kube/objects/reduce.ts';
import type { ObjectName } from '../../pkg/kube/types.ts';
import { NetlinkLinks } from '../../pkg/links/netlink.ts';
import { NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import { createLogger } from '../../pkg/log/log.ts';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { NetlinkNeighbours } from '../../pkg/neighbours/netlink.ts';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { NETLINK_NETFILTER } from '../../pkg/netlink/netfilter.ts';
import type { Trace } from '../../pkg/netlink/trace.ts';
import { NetlinkNftTables } from '../../pkg/nftables/netlink.ts';
import { createProxier } from '../../pkg/proxy/create.ts';
import type { Proxier } from '../../pkg/proxy/proxier.ts';
import type { Reporter, SyncReport } from '../../pkg/proxy/reporter.ts';
import { FakeResetter } from '../../pkg/reset/fake.ts';
import { NetlinkRoutes } from '../../pkg/routes/netlink.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
import { proxierSettings } from '../support/proxier-settings.ts';
import { kernelSettings } from '../support/settings.ts';
import { type Pod, podsOf, service, slice, slicesOf, vipRange } from './objects.ts';
import { Stopwatch } from './stopwatch.ts';

const byRoute = { mode: 'route', ranges: [vipRange], podNetworks: [] } as const;

/** How a node is set up. */
export interface NodeOptions {
  /** Milliseconds between two audits. */
  readonly syncPeriod: number;
  readonly trace?: Trace | undefined;
  /** By routes, the cluster IPs are one range. */
  readonly vipBinding?: 'address' | 'route';
  /** Both by default. */
  readonly families?: readonly Family[];
}

/** A process that was started. */
export interface StartedProcess {
  readonly command: string;
  readonly input: string;
}

/** The proxier on the kernel of this process's namespace, as the program assembles it, with a stopwatch at each interface. */
export class Node {
  readonly stopwatch = new Stopwatch();
  readonly syncs: SyncReport[] = [];
  readonly processes: StartedProcess[] = [];
  readonly proxier: Proxier;
  readonly #reducer = new Reducer();
  readonly #stop = new AbortController();
  readonly #firstSync = Promise.withResolvers<void>();
  readonly #run: Promise<void>;
  readonly #close: () => void;

  constructor({
    syncPeriod,
    trace,
    vipBinding = 'address',
    families = proxierSettings.families,
  }: NodeOptions) {
    postponeOptimization();
    const { stopwatch } = this;
    const options = trace === undefined ? {} : { trace };
    const log = createLogger({ format: 'text', verbosity: 0 });
    const clock = systemClock;
    const ipvs = openIpvs(options);
    const netfilter = openConnection(NETLINK_NETFILTER, { ...options, echo: true });
    const route = openConnection(NETLINK_ROUTE, options);
    const strictRoute = openConnection(NETLINK_ROUTE, { ...options, strict: true });
    this.#close = () => {
      for (const opened of [ipvs, netfilter, route, strictRoute]) opened.close();
    };
    const settings = kernelSettings();
    settings.apply();
    const firewall = new RestoreFirewall({
      generation: nftGeneration(netfilter),
      machine: this.#machine(),
    });
    const kernel = {
      ipvs: stopwatch.time(ipvs, {
        part: 'ipvs',
        reads: ['virtualServers', 'virtualServer', 'realServers'],
        writes: ['write'],
      }),
      ipsets: stopwatch.time(new NetlinkIpSets(netfilter), {
        part: 'ipset',
        reads: ['sets', 'entries'],
        writes: ['create', 'write'],
      }),
      links: stopwatch.time(new NetlinkLinks(route), {
        part: 'addresses',
        reads: ['addresses', 'hasLink'],
        writes: ['ensureDummy', 'write'],
      }),
      firewall: stopwatch.time(firewall, { part: 'rules', reads: ['check'], writes: ['apply'] }),
      ruleTables: new ProgramTables(),
      nftTables: new NetlinkNftTables(netfilter),
      routes: new NetlinkRoutes(strictRoute),
      neighbours: new NetlinkNeighbours(route),
      conntrack: new NetlinkConntrack(netfilter),
      // Nobody is reset here.
      connections: new FakeIpvsConnections(),
      resetter: new FakeResetter(),
      settings,
    };
    this.proxier = createProxier(
      kernel,
      {
        ...proxierSettings,
        syncPeriod,
        families,
        ...(vipBinding === 'route' && { vipBinding: byRoute }),
      },
      { clock, log, reporter: this.#reporter() },
    );
    this.#run = this.proxier.run(this.#stop.signal);
  }

  /** Tells a whole cluster, and that this was all. */
  reportAll(services: number, endpoints: number): void {
    this.reportObjects(services, endpoints);
    this.reportSynced();
  }

  /** Tells a whole cluster. More may come, so no first sync begins. */
  reportObjects(services: number, endpoints: number): void {
    for (let index = 0; index < services; index++) {
      this.reportService(service(index));
      this.reportSlices(index, podsOf(index, endpoints));
    }
  }

  /** Tells that everything was told. The first sync begins when the event loop turns. */
  reportSynced(): void {
    for (const kind of ['Service', 'EndpointSlice', 'Node'] as const)
      this.proxier.onChange({ type: 'synced', kind });
  }

  /** Tells a Service. */
  reportService(object: object): void {
    this.proxier.onChange(this.#reducer.change('Service', object));
  }

  /** Tells the slices of a Service. */
  reportSlices(index: number, pods: readonly Pod[]): void {
    for (const [part, some] of slicesOf(pods).entries())
      this.proxier.onChange(this.#reducer.change('EndpointSlice', slice(index, some, part)));
  }

  /** Tells that a Service and its slices are gone, if they were there. Of several slices it has to be told how many. */
  deleteService(index: number, slices = 1): void {
    for (let part = 0; part < slices; part++) this.#delete('EndpointSlice', slice(index, [], part));
    this.#delete('Service', service(index));
  }

  #delete(kind: 'EndpointSlice' | 'Service', object: object): void {
    const { name, namespace } = (object as { metadata: ObjectName }).metadata;
    this.proxier.onChange({ type: 'delete', kind, name: { name, namespace } });
  }

  /** Waits for the end of the next audit. Returns how many milliseconds it took. */
  async auditDone(): Promise<number> {
    const audits = () => this.syncs.filter(({ kind }) => kind === 'audit');
    for (const done = audits().length; audits().length === done; ) await sleep(20);
    return audits().at(-1)?.milliseconds ?? Number.NaN;
  }

  /** Tells a line of a watch, as the program gets it. */
  reportLine(line: string): void {
    const { object } = JSON.parse(line) as { object: unknown };
    this.proxier.onChange(this.#reducer.change('EndpointSlice', object));
  }

  /** Ends with the first sync. */
  get firstSync(): Promise<void> {
    return this.#firstSync.promise;
  }

  /** Ends it; the kernel's state stays. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#run;
    this.#close();
  }

  /** What the program reports to metrics and health, and what is measured here. */
  #reporter(): Reporter {
    const clock = systemClock;
    const health = new ProxyHealth({ clock, syncPeriod: 30_000 });
    const reporter = compilingFirstSync(
      createReporter({ metrics: createMetrics(), health, clock }),
    );
    return {
      ...reporter,
      synced: (report) => {
        reporter.synced(report);
        this.syncs.push(report);
      },
      firstSyncDone: () => {
        reporter.firstSyncDone();
        this.#firstSync.resolve();
      },
    };
  }

  #machine(): Machine {
    const run: RunProcess = (command, parameters, options) => {
      this.processes.push({ command, input: options.input ?? '' });
      return runProcess(command, parameters, options);
    };
    return { run, hasProgram, legacyTables: () => Promise.resolve([]) };
  }
}
