import type { IpAddress } from '../ip/address.ts';
import { printPrefix } from '../ip/prefix.ts';
import { noOptions, type ServiceOptions } from '../kube/annotations.ts';
import type { EndpointSlice, Node, Service } from '../kube/types.ts';
import type { RuleSettings } from '../proxy/apply/rule-source.ts';
import { footprint } from '../proxy/desired/footprints.ts';
import { Ledger } from '../proxy/desired/ledger.ts';
import { type NodeSettings, nodeContext } from '../proxy/desired/node-context.ts';
import type { VipBinding } from '../proxy/desired/vip-routes.ts';
import type { Pause } from '../trace/read-state.ts';

/** The settings of the proxy whose state is compared. */
export interface DesiredSettings extends NodeSettings {
  readonly ruleSettings: RuleSettings;
  readonly serviceOptionsOf: ((service: Service) => ServiceOptions) | undefined;
  /** How VIPs become the node's own. Ranges that only the cluster's ServiceCIDR objects name are not known. */
  readonly vipBinding: Pick<VipBinding, 'mode' | 'ranges'>;
}

/** What a proxier wants a node to have. */
export type DesiredLedger = Pick<
  Ledger,
  | 'entries'
  | 'entryCount'
  | 'frontEnd'
  | 'lastOwner'
  | 'ruleContent'
  | 'virtualServers'
  | 'wantsAddress'
  | 'wantsEntry'
>;

/** A node for which a ledger is made. */
export interface LedgerOptions {
  readonly settings: DesiredSettings;
  /** Those of the node's own devices. */
  readonly addresses: readonly IpAddress[];
  /** Lets other work run. */
  readonly pause: Pause;
}

/** The ledger of a proxier that has entered some objects, which it got at once. */
export async function ledgerOf(
  {
    services,
    slicesOf,
    node: object,
  }: {
    readonly services: Iterable<Service>;
    readonly slicesOf: (service: string) => readonly EndpointSlice[];
    readonly node: Node | undefined;
  },
  { settings, addresses, pause }: LedgerOptions,
): Promise<DesiredLedger> {
  const node = nodeContext(settings, { node: object, addresses });
  const ledger = new Ledger();
  for (const service of services) {
    const options = settings.serviceOptionsOf?.(service) ?? noOptions;
    const slices = slicesOf(service.key);
    ledger.set(footprint({ service, slices, vanished: [], options }, node));
    await pause();
  }
  const { mode, ranges } = settings.vipBinding;
  if (mode === 'route')
    ledger.closeRanges(new Map(ranges.map((range) => [printPrefix(range), range])));
  return ledger;
}
