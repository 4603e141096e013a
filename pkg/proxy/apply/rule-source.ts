import type { Firewall, Ruleset, Table } from '../../firewall/firewall.ts';
import { type Family, families } from '../../ip/address.ts';
import { type Prefix, prefixFamily } from '../../ip/prefix.ts';
import type { Node } from '../../kube/types.ts';
import type { LocalDetector } from '../desired/chain-options.ts';
import { rules } from '../desired/chains.ts';
import type { RuleContent } from '../desired/rule-content.ts';

/** How rules recognise traffic of this cluster's pods (`--detect-local-mode`). */
export type DetectLocal =
  | { readonly mode: 'ClusterCIDR'; readonly networks: readonly Prefix[] }
  | { readonly mode: 'NodeCIDR' }
  /** A name that ends in `+` stands for every interface that begins with the rest. */
  | { readonly mode: 'interface'; readonly name: string };

/** The settings that the rules depend on besides the sets. */
export interface RuleSettings {
  readonly masqueradeMark: number;
  readonly masqueradeAll: boolean;
  readonly detectLocal: DetectLocal;
}

/** Makes each family's rules. */
export class RuleSource {
  readonly #settings: RuleSettings;
  readonly #firewall: Pick<Firewall, 'capabilities'>;
  readonly #node: () => Node | undefined;
  /** The detectors of the last rules, as text. */
  #detectors = '';

  constructor({
    settings,
    firewall,
    node,
  }: {
    settings: RuleSettings;
    firewall: Pick<Firewall, 'capabilities'>;
    node: () => Node | undefined;
  }) {
    this.#settings = settings;
    this.#firewall = firewall;
    this.#node = node;
  }

  /** Whether the rules can be made: with NodeCIDR not before the Node has pod networks. */
  get isReady(): boolean {
    return (
      this.#settings.detectLocal.mode !== 'NodeCIDR' || (this.#node()?.podCIDRs.length ?? 0) > 0
    );
  }

  /** Whether the rules of a family tell local traffic by the configured detector. */
  hasDetector(family: Family): boolean {
    return this.#detector(family) !== undefined;
  }

  /** The rules of a family for some content. */
  async ruleset(
    family: Family,
    { nonEmpty, closedToNode, closedRanges, leavesNat }: RuleContent,
  ): Promise<Ruleset> {
    const { masqueradeMark, masqueradeAll } = this.#settings;
    const localDetector = this.#detector(family);
    const { randomFully } = await this.#firewall.capabilities(family);
    const rejectedLoadBalancers = [...closedToNode.values()];
    const ruleset = rules(family, {
      nonEmpty,
      rejectedLoadBalancers,
      closedRanges: [...closedRanges.values()],
      masqueradeMark,
      masqueradeAll,
      localDetector,
      podDetector: this.#podDetector(family),
      randomFully,
    });
    return leavesNat ? withoutNat(ruleset) : ruleset;
  }

  /** Whether the detectors have changed since the last call. False while the rules cannot be made. */
  takeChange(): boolean {
    const detectors = JSON.stringify(families.map((family) => this.#podDetector(family) ?? null));
    const isChange = detectors !== this.#detectors && this.isReady;
    this.#detectors = detectors;
    return isChange;
  }

  /** The configured detector, or the Node's own pod network. */
  #podDetector(family: Family): LocalDetector | undefined {
    return this.#detector(family) ?? cidrOf(family, this.#node()?.podCIDRs);
  }

  #detector(family: Family): LocalDetector | undefined {
    const { detectLocal } = this.#settings;
    if (detectLocal.mode === 'interface') return { kind: 'interface', name: detectLocal.name };
    const isOfNode = detectLocal.mode === 'NodeCIDR';
    return cidrOf(family, isOfNode ? this.#node()?.podCIDRs : detectLocal.networks);
  }
}

function withoutNat({ chains, jumps }: Ruleset): Ruleset {
  const isElsewhere = ({ table }: { table: Table }) => table !== 'nat';
  return { chains: chains.filter(isElsewhere), jumps: jumps.filter(isElsewhere) };
}

/** The first network of a family; `undefined` if there is none. */
function cidrOf(family: Family, networks: readonly Prefix[] = []): LocalDetector | undefined {
  const network = networks.find((candidate) => prefixFamily(candidate) === family);
  return network === undefined ? undefined : { kind: 'cidr', network };
}
