import type { IpvsConnections } from '../connections/connections.ts';
import type { Conntrack } from '../conntrack/conntrack.ts';
import type { Firewall } from '../firewall/firewall.ts';
import type { Family, IpAddress } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import type { IpSets } from '../ipset/ipset.ts';
import type { Ipvs } from '../ipvs/ipvs.ts';
import type { ServiceOptions } from '../kube/annotations.ts';
import type { Kind, Service } from '../kube/types.ts';
import type { Links } from '../links/links.ts';
import type { Logger } from '../log/log.ts';
import type { Neighbours } from '../neighbours/neighbours.ts';
import type { Resetter } from '../reset/reset.ts';
import type { Clock } from '../runner/clock.ts';
import type { RuleSettings } from './apply/rule-source.ts';
import type { NodePortNetwork } from './desired/node-port-addresses.ts';
import type { DrainMode } from './graceful/policy.ts';
import type { Reporter } from './reporter.ts';
import type { KeptSettings } from './settings/kernel-settings.ts';

/** What the proxier reaches the kernel of a node through. */
export interface Kernel {
  readonly ipvs: Ipvs;
  readonly ipsets: IpSets;
  readonly links: Links;
  readonly firewall: Firewall;
  readonly conntrack: Conntrack;
  readonly connections: IpvsConnections;
  readonly neighbours: Neighbours;
  readonly resetter: Resetter;
  readonly settings: KeptSettings;
}

/** How a proxier works, as values; times are milliseconds. */
export interface ProxierSettings {
  readonly nodeName: string;
  /** Where node ports are served; empty for every address of the node. */
  readonly nodePortNetworks: readonly NodePortNetwork[];
  /** Those that are served. */
  readonly families: readonly Family[];
  /** The node's primary address (`--bind-address`); an unspecified one stands for the first that the Node has. */
  readonly bindAddress: IpAddress;
  /** How long the first sync waits for addresses of a Node that has none yet; 0 for not at all. */
  readonly nodeIPPatience: number;
  readonly scheduler: string;
  /** Whether `spec.externalIPs` are served (`AllowServiceExternalIPs`). */
  readonly externalIPs: boolean;
  /** Networks whose virtual servers are left alone unless a Service wants them. */
  readonly excluded: readonly Prefix[];
  readonly ruleSettings: RuleSettings;
  /** How real servers end that are no longer wanted; a timeout of 0 is none. */
  readonly drains: {
    readonly mode: DrainMode;
    readonly timeout: number;
    readonly unansweredAfter?: number;
  };
  /** Whether clients of deleted servers that only wait are reset; otherwise they find out at their next packet. */
  readonly resetsWaitingClients: boolean;
  /** Between two audits. */
  readonly syncPeriod: number;
  /** In which changes are gathered after a sync; 0 for none. */
  readonly minSyncPeriod: number;
}

/** What a proxier asks of the rest of the program, and tells it. */
export interface Ports {
  readonly clock: Clock;
  readonly log: Logger;
  readonly reporter: Reporter;
  /** What Services ask for by annotations; without it, they are not asked. */
  readonly serviceOptionsOf?: ((service: Service) => ServiceOptions) | undefined;
  /** Asks the source for a second read of a kind, see `Source.confirm`; without it, what it says first is believed. */
  readonly confirm?: ((kind: Kind) => void) | undefined;
}

/** All of it together, as the parts of a proxier get it. */
export interface ProxierOptions extends Kernel, ProxierSettings, Ports {}

/** The interfaces of a kernel alone, out of something that may have more to it. */
export function kernelOf(kernel: Kernel): Kernel {
  const { ipvs, ipsets, links, firewall, conntrack } = kernel;
  const { connections, neighbours, resetter, settings } = kernel;
  return { ipvs, ipsets, links, firewall, conntrack, connections, neighbours, resetter, settings };
}
