import { ProcIpvsConnections } from '../../pkg/connections/proc.ts';
import { NetlinkConntrack } from '../../pkg/conntrack/netlink.ts';
import { nftGeneration } from '../../pkg/firewall/generation.ts';
import { RestoreFirewall } from '../../pkg/firewall/restore.ts';
import { NetlinkIpSets } from '../../pkg/ipset/netlink.ts';
import { openIpvs } from '../../pkg/ipvs/netlink.ts';
import type { Change } from '../../pkg/kube/types.ts';
import { NetlinkLinks } from '../../pkg/links/netlink.ts';
import { NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import { recordingLogger } from '../../pkg/log/memory.ts';
import { NetlinkNeighbours } from '../../pkg/neighbours/netlink.ts';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { NETLINK_NETFILTER } from '../../pkg/netlink/netfilter.ts';
import type { ProxierOptions } from '../../pkg/proxy/create.ts';
import { FlowForgetter } from '../../pkg/proxy/flows/stale-flows.ts';
import { ClientResets } from '../../pkg/proxy/graceful/client-reset.ts';
import { Proxier } from '../../pkg/proxy/proxier.ts';
import type { KernelSettingsOptions } from '../../pkg/proxy/settings/kernel-settings.ts';
import { RawResetter } from '../../pkg/reset/raw.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
import { net } from './addresses.ts';
import type { Namespace } from './namespace.ts';
import { patience } from './patience.ts';
import { type Reports, recordingReporter } from './proxier.ts';
import { kernelSettings } from './settings.ts';

/** A proxier on the real kernel of a node's namespace, inside the test's own process, which is in that namespace meanwhile. */
export class NodeProxy {
  readonly log = recordingLogger({ verbosity: 4 });
  readonly reports: Reports = recordingReporter();
  readonly proxier: Proxier;
  /** How many clients of deleted servers were sent a reset, for how many that failed, and how many were not found. */
  readonly clients = { sent: 0, failed: 0, skipped: 0 };
  readonly resetter = new RawResetter();
  readonly #stop = new AbortController();
  readonly #run: Promise<unknown>;
  readonly #leave: () => void;
  readonly #close: () => void;

  constructor(
    namespace: Namespace,
    over: Partial<ProxierOptions> = {},
    settingsOver: Partial<KernelSettingsOptions> = {},
  ) {
    this.#leave = namespace.enter();
    const ipvs = openIpvs({});
    const netfilter = openConnection(NETLINK_NETFILTER, { echo: true });
    const route = openConnection(NETLINK_ROUTE, {});
    this.#close = () => {
      for (const opened of [ipvs, netfilter, route, this.resetter]) opened.close();
    };
    const clock = systemClock;
    const log = this.log;
    const settings = kernelSettings({ log, ...settingsOver });
    settings.apply();
    const conntrack = new NetlinkConntrack(netfilter);
    const count = (kind: keyof NodeProxy['clients']) => (clients: number) => {
      this.clients[kind] += clients;
    };
    const clientReset = new ClientResets({
      conntrack,
      connections: new ProcIpvsConnections(),
      resetter: this.resetter,
      settings,
      clock,
      log,
      onSent: count('sent'),
      onFailed: count('failed'),
      onSkipped: count('skipped'),
    });
    this.proxier = new Proxier({
      ipvs,
      clock,
      log,
      ipsets: new NetlinkIpSets(netfilter),
      links: new NetlinkLinks(route),
      neighbours: new NetlinkNeighbours(route),
      settings,
      firewall: new RestoreFirewall({ generation: nftGeneration(netfilter) }),
      flows: new FlowForgetter({
        log,
        conntrack,
        settings,
        clock,
        onReconciled: () => undefined,
        onFailed: ({ error }) => log.error('flows', error),
      }),
      reporter: this.reports,
      nodeName: 'here',
      families: ['IPv4', 'IPv6'],
      scheduler: 'rr',
      excluded: [],
      ruleSettings: {
        masqueradeMark: 0x4000,
        masqueradeAll: false,
        detectLocal: { mode: 'ClusterCIDR', networks: [net('10.0.0.0/8'), net('fd00:10::/32')] },
      },
      drains: { mode: 'pod', timeout: 900_000 },
      clientReset,
      syncPeriod: 30_000,
      minSyncPeriod: 0,
      ...over,
    });
    const { signal } = this.#stop;
    this.#run = Promise.all([this.proxier.run(signal), clientReset.run(signal)]);
    this.tell(
      { type: 'synced', kind: 'Service' },
      { type: 'synced', kind: 'EndpointSlice' },
      { type: 'synced', kind: 'Node' },
    );
  }

  /** Tells changes as a source would. */
  tell(...changes: readonly Change[]): void {
    for (const change of changes) this.proxier.onChange(change);
  }

  /** Waits until every change that was told is in the kernel. Throws if something failed. */
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
