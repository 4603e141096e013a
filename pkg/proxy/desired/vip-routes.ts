import { type Family, familyOf, type IpAddress, isLoopback } from '../../ip/address.ts';
import { contains, type Prefix, prefixFamily, printPrefix, single } from '../../ip/prefix.ts';
import type { Node } from '../../kube/types.ts';
import type { Logger } from '../../log/log.ts';
import type { LocalRoute } from '../../routes/routes.ts';
import type { Ledger } from './ledger.ts';
import { detectNodeIPs } from './node-ips.ts';
import { rangeProblem } from './vip-ranges.ts';

/** How VIPs become the node's own (`--ipvs-vip-binding`). */
export interface VipBinding {
  /** `address`: addresses of the dummy device. `route`: local routes. */
  readonly mode: 'address' | 'route';
  /** Networks whose addresses are all VIPs, as configured: with routes, each has one in place of one for each VIP. */
  readonly ranges: readonly Prefix[];
  /** The networks of pods, as far as they are configured. */
  readonly podNetworks: readonly Prefix[];
}

/** What the devices of the node have, the dummy device left out. */
interface NodeState {
  readonly nodeAddresses: readonly IpAddress[];
  /** The networks that they are connected to. */
  readonly connected: readonly Prefix[];
}

export interface VipRoutesOptions {
  readonly vipBinding: VipBinding;
  readonly families: readonly Family[];
  /** The node's primary address unless it is unspecified. */
  readonly bindAddress: IpAddress;
  readonly node: () => Pick<Node, 'addresses' | 'podCIDRs'> | undefined;
  readonly ledger: Pick<Ledger, 'closeRanges'>;
  readonly log: Logger;
}

/** The local routes that are wanted: one for each range that can be used, and one for each VIP in none of these. */
export class VipRoutes {
  readonly #options: VipRoutesOptions;
  #ranges: readonly Prefix[];
  #usable: ReadonlyMap<string, Prefix> = new Map();
  #sources: ReadonlyMap<Family, IpAddress> = new Map();
  /** Why ranges cannot be used, by range. */
  #problems: ReadonlyMap<string, string> = new Map();
  #hasChanged = false;
  #state: NodeState = { nodeAddresses: [], connected: [] };
  /** The Node that the routes were last made from. */
  #node: ReturnType<VipRoutesOptions['node']>;
  #isStale = true;
  #isFound = false;

  constructor(options: VipRoutesOptions) {
    this.#options = options;
    this.#ranges = options.vipBinding.ranges;
  }

  /** Takes other ranges in place of those that it has, at the next {@link refresh}. */
  useRanges(ranges: readonly Prefix[]): void {
    this.#ranges = ranges;
    this.#isStale = true;
  }

  /** Whether VIPs are bound by routes. */
  get areUsed(): boolean {
    return this.#options.vipBinding.mode === 'route';
  }

  /** The ranges that have a route, by their text. */
  get ranges(): ReadonlyMap<string, Prefix> {
    return this.#usable;
  }

  /** Why configured ranges cannot be used, by range. */
  get problems(): ReadonlyMap<string, string> {
    return this.#problems;
  }

  /** The wanted route of a range; `undefined` if it is to have none. */
  rangeRoute(range: Prefix): LocalRoute | undefined {
    return this.#usable.has(printPrefix(range)) ? this.#routeTo(range) : undefined;
  }

  /** The wanted route of a VIP; `undefined` if a range has one for it, or addresses are used. */
  ownRoute(vip: IpAddress): LocalRoute | undefined {
    if (!this.areUsed || !this.#options.families.includes(familyOf(vip))) return undefined;
    for (const range of this.#usable.values()) if (contains(range, vip)) return undefined;
    return this.#routeTo(single(vip));
  }

  /** Whether routes that are wanted have changed since the last call. */
  takeChange(): boolean {
    const hasChanged = this.#hasChanged;
    this.#hasChanged = false;
    return hasChanged;
  }

  /** Records what the devices of the node have, as dumped. */
  observe(state: NodeState): void {
    this.#state = state;
    this.#isStale = true;
  }

  /**
   * Finds the ranges that can be used, and the node's own address of each family, if anything that they depend on has changed. Closes
   * these ranges, and those that have a route of ours already.
   */
  refresh(heldRanges: ReadonlyMap<string, Prefix>): void {
    const { ledger, node } = this.#options;
    if (this.areUsed && (this.#isStale || node() !== this.#node)) this.#find();
    ledger.closeRanges(
      heldRanges.size === 0 ? this.#usable : new Map([...this.#usable, ...heldRanges]),
    );
  }

  #find(): void {
    const { vipBinding, families, bindAddress, node } = this.#options;
    const { nodeAddresses, connected } = this.#state;
    this.#isStale = false;
    this.#node = node();
    const { addresses = [], podCIDRs = [] } = this.#node ?? {};
    const nodeIPs = detectNodeIPs({ bindAddress, addresses }).filter((ip) => !isLoopback(ip));
    const taken = { nodeIPs, connected, pods: [...vipBinding.podNetworks, ...podCIDRs] };
    const usable = new Map<string, Prefix>();
    const problems = new Map<string, string>();
    for (const range of this.#ranges) {
      if (!families.includes(prefixFamily(range))) continue;
      const problem = rangeProblem(range, taken);
      if (problem === undefined) usable.set(printPrefix(range), range);
      else problems.set(printPrefix(range), problem);
    }
    this.#logProblems(problems);
    const sources = sourcesOf({ nodeIPs, nodeAddresses, families, ranges: [...usable.values()] });
    const isSameAsBefore = isSame(usable, this.#usable) && isSame(sources, this.#sources);
    if (this.#isFound && !isSameAsBefore) this.#hasChanged = true;
    this.#isFound = true;
    this.#usable = usable;
    this.#sources = sources;
    this.#problems = problems;
  }

  #logProblems(problems: ReadonlyMap<string, string>): void {
    const { log } = this.#options;
    for (const [range, problem] of problems)
      if (this.#problems.get(range) !== problem)
        log.error('a range of VIPs gets no route: each of its VIPs gets one', undefined, {
          range,
          problem,
        });
    for (const range of this.#problems.keys())
      if (!problems.has(range)) log.info('a range of VIPs gets a route again', { range });
  }

  #routeTo(network: Prefix): LocalRoute {
    return { network, source: this.#sources.get(prefixFamily(network)) };
  }
}

/**
 * The addresses that the node's own clients send from, by family: the node IP if a device has it, else the first address of a device
 * that is no VIP. A family without either has none.
 */
function sourcesOf({
  nodeIPs,
  nodeAddresses,
  families,
  ranges,
}: Pick<NodeState, 'nodeAddresses'> & {
  readonly nodeIPs: readonly IpAddress[];
  readonly families: readonly Family[];
  readonly ranges: readonly Prefix[];
}): ReadonlyMap<Family, IpAddress> {
  const sources = new Map<Family, IpAddress>();
  for (const family of families) {
    const isCandidate = (address: IpAddress) =>
      familyOf(address) === family && !ranges.some((range) => contains(range, address));
    const nodeIP = nodeIPs.find((ip) => isCandidate(ip) && nodeAddresses.includes(ip));
    const source = nodeIP ?? nodeAddresses.find(isCandidate);
    if (source !== undefined) sources.set(family, source);
  }
  return sources;
}

function isSame(one: ReadonlyMap<unknown, unknown>, other: ReadonlyMap<unknown, unknown>): boolean {
  if (one.size !== other.size) return false;
  for (const [key, value] of one)
    if (!other.has(key) || (typeof value === 'string' && other.get(key) !== value)) return false;
  return true;
}
