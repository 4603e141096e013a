import type {
  Firewall,
  FirewallCapabilities,
  PrintedRules,
  Ruleset,
  RuleTables,
} from '../firewall/firewall.ts';
import { ourPart, parseSavedAtOnce } from '../firewall/saved.ts';
import { savedAfter } from '../firewall/saved-after.ts';
import { type Family, families } from '../ip/address.ts';
import type { NodeReader } from './node.ts';

/** How the rules of a family change. */
export interface RuleChange {
  readonly family: Family;
  /** Rules of our chains and jumps to them that the node lacks, and rules of our chains that go, as `iptables-save` prints them. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Only the order of rules differs, or how often one is there. */
  readonly isReordered: boolean;
}

/** The rules of a node, and over them those that were applied. */
export class PreviewRules implements Firewall {
  /** The rules of everybody. What other modes left is planned by a preview apart, so nothing is removed here. */
  readonly tables: RuleTables = { read: () => this.read(), remove: async () => undefined };
  readonly #node: Pick<NodeReader, 'firewall' | 'ruleTables'>;
  readonly #applied = new Map<Family, Ruleset>();
  #read: Promise<readonly PrintedRules[]> | undefined;

  constructor(node: Pick<NodeReader, 'firewall' | 'ruleTables'>) {
    this.#node = node;
  }

  capabilities(family: Family): Promise<FirewallCapabilities> {
    return this.#node.firewall.capabilities(family);
  }

  async apply(family: Family, ruleset: Ruleset): Promise<void> {
    this.#applied.set(family, ruleset);
  }

  async check(): Promise<'same'> {
    return 'same';
  }

  /** Rules that are removed on the way are applied again later, so only the last ruleset counts. */
  async remove(family: Family): Promise<void> {
    this.#applied.delete(family);
  }

  async read(): Promise<readonly PrintedRules[]> {
    const places: PrintedRules[] = [];
    for (const place of await this.#places()) {
      const ruleset = this.#applied.get(place.family);
      const isOurs = ruleset !== undefined && place.flavour === (await this.#flavour(place.family));
      const { family } = place;
      places.push(isOurs ? { ...place, text: savedAfter(place.text, { family, ruleset }) } : place);
    }
    return places;
  }

  /** The rules of each family that differ from those that were applied. */
  async changes(): Promise<readonly RuleChange[]> {
    const changes: RuleChange[] = [];
    for (const family of families) {
      const ruleset = this.#applied.get(family);
      if (ruleset === undefined) continue;
      const flavour = await this.#flavour(family);
      const isOurs = (place: PrintedRules) => place.family === family && place.flavour === flavour;
      const before = (await this.#places()).find(isOurs)?.text ?? '';
      const after = savedAfter(before, { family, ruleset });
      const ours = (text: string) => ourPart(parseSavedAtOnce(text), { family, ruleset }).text;
      if (ours(before) !== ours(after))
        changes.push({ family, ...lineDifference(ours(before), ours(after)) });
    }
    return changes;
  }

  async #flavour(family: Family): Promise<FirewallCapabilities['flavour']> {
    return (await this.capabilities(family)).flavour;
  }

  #places(): Promise<readonly PrintedRules[]> {
    this.#read ??= this.#node.ruleTables.read();
    return this.#read;
  }
}

function lineDifference(before: string, after: string): Omit<RuleChange, 'family'> {
  const [had, wanted] = [before, after].map((text) => new Set(text.split('\n')));
  const added = [...(wanted ?? [])].filter((line) => !had?.has(line) && line !== '');
  const removed = [...(had ?? [])].filter((line) => !wanted?.has(line) && line !== '');
  return { added, removed, isReordered: added.length + removed.length === 0 };
}
