import { ProcIpvsConnections } from '../../pkg/connections/proc.ts';
import { NetlinkConntrack } from '../../pkg/conntrack/netlink.ts';
import { nftGeneration } from '../../pkg/firewall/generation.ts';
import { RestoreFirewall } from '../../pkg/firewall/restore.ts';
import { ProgramTables } from '../../pkg/firewall/rule-tables.ts';
import { NetlinkIpSets } from '../../pkg/ipset/netlink.ts';
import { openIpvs } from '../../pkg/ipvs/netlink.ts';
import type { Change } from '../../pkg/kube/types.ts';
import { NetlinkLinks } from '../../pkg/links/netlink.ts';
import { NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import { recordingLogger } from '../../pkg/log/memory.ts';
import { NetlinkNeighbours } from '../../pkg/neighbours/netlink.ts';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { NETLINK_NETFILTER } from '../../pkg/netlink/netfilter.ts';
import { NetlinkNftTables } from '../../pkg/nftables/netlink.ts';
import { createProxier } from '../../pkg/proxy/create.ts';
import type { Kernel, Ports, ProxierSettings } from '../../pkg/proxy/options.ts';
import type { Proxier } from '../../pkg/proxy/proxier.ts';
import type { KernelSettingsOptions } from '../../pkg/proxy/settings/kernel-settings.ts';
import { RawResetter } from '../../pkg/reset/raw.ts';
import { NetlinkRoutes } from '../../pkg/routes/netlink.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
import type { Namespace } from './namespace.ts';
import { patience } from './patience.ts';
import { type Reports, recordingReporter } from './proxier.ts';
import { proxierSettings } from './proxier-settings.ts';
import { kernelSettings } from './settings.ts';

/** A proxier on the real kernel of a node's namespace, inside the test's own process, which is in that namespace meanwhile. */
export class NodeProxy {
  readonly log = recordingLogger({ verbosity: 4 });
  readonly reports: Reports = recordingReporter();
  readonly proxier: Proxier;
  /** How many clients of deleted real servers were sent a reset, for how many that failed, and how many were not found. */
  readonly clients = { sent: 0, failed: 0, skipped: 0 };
  readonly resetter = new RawResetter();
  readonly #stop = new AbortController();
  readonly #run: Promise<void>;
  readonly #leave: () => void;
  readonly #close: () => void;

  constructor(
    namespace: Namespace,
    over: Partial<Kernel & ProxierSettings & Ports> = {},
    settingsOver: Partial<KernelSettingsOptions> = {},
  ) {
    this.#leave = namespace.enter();
    const ipvs = openIpvs({});
    const netfilter = openConnection(NETLINK_NETFILTER, { echo: true });
    const route = openConnection(NETLINK_ROUTE, {});
    const strictRoute = openConnection(NETLINK_ROUTE, { strict: true });
    this.#close = () => {
      for (const opened of [ipvs, netfilter, route, strictRoute, this.resetter]) opened.close();
    };
    const clock = systemClock;
    const log = this.log;
    const settings = kernelSettings({ log, ...settingsOver });
    settings.apply();
    const kernel = {
      ipvs,
      settings,
      resetter: this.resetter,
      ipsets: new NetlinkIpSets(netfilter),
      links: new NetlinkLinks(route),
      routes: new NetlinkRoutes(strictRoute),
      neighbours: new NetlinkNeighbours(route),
      firewall: new RestoreFirewall({ generation: nftGeneration(netfilter) }),
      ruleTables: new ProgramTables(),
      nftTables: new NetlinkNftTables(netfilter),
      conntrack: new NetlinkConntrack(netfilter),
      connections: new ProcIpvsConnections(),
    };
    this.reports.clientResets = (result, count) => {
      this.clients[result] += count;
    };
    this.proxier = createProxier(
      { ...kernel, ...over },
      { ...proxierSettings, resetsWaitingClients: true, ...over },
      { clock, log, reporter: this.reports, ...over },
    );
    const { signal } = this.#stop;
    this.#run = this.proxier.run(signal);
    this.report(
      { type: 'synced', kind: 'Service' },
      { type: 'synced', kind: 'EndpointSlice' },
      { type: 'synced', kind: 'Node' },
    );
  }

  /** Tells changes as a source would. */
  report(...changes: readonly Change[]): void {
    for (const change of changes) this.proxier.onChange(change);
  }

  /** Waits until every reported change is in the kernel. Throws if something failed. */
  async settled(): Promise<void> {
    await this.until(() => this.reports.isFirstSyncDone);
    await this.proxier.idle();
    const errors = this.log.lines().filter((line) => line.startsWith('error'));
    if (errors.length > 0) throw new Error(errors.join('\n'));
  }

  /** Waits until a condition holds. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + patience;
    while (!condition()) {
      if (performance.now() > deadline)
        throw new Error(`gave up waiting:\n${this.log.lines().slice(-30).join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Ends it; the kernel's state stays. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#run;
    this.#close();
    this.#leave();
  }
}
