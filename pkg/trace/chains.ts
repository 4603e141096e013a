import type { SavedChains, SavedRule, SavedTarget } from '../firewall/saved-rule.ts';
import { ruleMatches } from './matches.ts';
import type { PacketView } from './packet.ts';
import type { Fate, Hook, Place, Step } from './result.ts';
import type { KernelState } from './state.ts';

/** A packet after tables, and the rules that it met there. */
export interface Passage {
  readonly packet: PacketView;
  readonly fate: Fate;
  readonly steps: readonly Step[];
  readonly masqueradedBy: SavedRule | undefined;
}

/** How deep jumps may be nested, in case chains form a loop; the kernel refuses loops. */
const deepest = 128;

/** Passes a packet through the built-in chain of each given table, in order. Ends if one drops or rejects it, or if a rule cannot be judged. */
export function passTables(
  state: KernelState,
  packet: PacketView,
  { hook, tables }: { readonly hook: Hook; readonly tables: readonly string[] },
): Passage {
  const walk = new Walk(state, packet);
  for (const table of tables) {
    const fate = walk.throughTable(hook, table);
    if (fate !== 'passed') return walk.passage(fate);
  }
  return walk.passage('passed');
}

/** The result of a chain: `returned` goes on after the rule that jumped there. */
type End = Fate | 'returned';

/** One packet in the tables of one hook. */
class Walk {
  readonly #state: KernelState;
  readonly #steps: Step[] = [];
  #packet: PacketView;
  #masqueradedBy: SavedRule | undefined;
  #isTranslated = false;

  constructor(state: KernelState, packet: PacketView) {
    this.#state = state;
    this.#packet = packet;
  }

  passage(fate: Fate): Passage {
    const { packet, masqueradedBy } = { packet: this.#packet, masqueradedBy: this.#masqueradedBy };
    return { packet, fate, steps: this.#steps, masqueradedBy };
  }

  throughTable(hook: Hook, table: string): Fate {
    const place = { hook, table, chain: hook };
    for (const tables of this.#state.tables[this.#packet.family]) {
      const fate = this.#throughBuiltIn(place, tables.get(table));
      // The nat table of the other packet filter is not asked about a connection that one has translated.
      if (fate !== 'passed' || (table === 'nat' && this.#isTranslated)) return fate;
    }
    return 'passed';
  }

  #throughBuiltIn(place: Place, chains: SavedChains | undefined): Fate {
    if (chains === undefined) return 'passed';
    if (chains === 'opaque') return this.#unknown(place, 'iptables cannot print this table');
    const end = this.#throughChain(place, chains, 0);
    if (end !== 'returned') return end;
    if (chains.get(place.hook)?.policy !== 'DROP') return 'passed';
    this.#steps.push({ kind: 'policy', place });
    return 'dropped';
  }

  #throughChain(place: Place, chains: Exclude<SavedChains, 'opaque'>, depth: number): End {
    for (const rule of chains.get(place.chain)?.rules ?? []) {
      const judged = ruleMatches(this.#state, this.#packet, rule);
      if (judged === false) continue;
      // What only logs decides nothing.
      if (judged !== true && rule.target.target === 'none') continue;
      if (judged !== true) return this.#unknown(place, `${rule.text} (${judged.unknown})`);
      this.#steps.push({ kind: 'rule', place, rule });
      const end = this.#carryOut(rule, { place, chains, depth });
      if (end !== undefined) return end;
    }
    return 'returned';
  }

  /** The result of the chain after this rule, or `undefined` to go on with the next rule. */
  #carryOut(
    rule: SavedRule,
    {
      place,
      chains,
      depth,
    }: { place: Place; chains: Exclude<SavedChains, 'opaque'>; depth: number },
  ): End | undefined {
    const { target } = rule;
    switch (target.target) {
      case 'none':
        return undefined;
      case 'RETURN':
        return 'returned';
      case 'ACCEPT':
        return 'passed';
      case 'DROP':
        return 'dropped';
      case 'REJECT':
        return 'rejected';
      case 'MASQUERADE':
        this.#isTranslated = true;
        this.#masqueradedBy = rule;
        this.#packet = { ...this.#packet, source: undefined, sourcePort: undefined };
        return 'passed';
      case 'SNAT':
        this.#isTranslated = true;
        this.#masqueradedBy = rule;
        this.#packet = { ...this.#packet, source: target.address, sourcePort: undefined };
        return 'passed';
      case 'DNAT': {
        this.#isTranslated = true;
        const { address: destination, port = this.#packet.port } = target;
        this.#packet = { ...this.#packet, destination, port };
        return 'passed';
      }
      case 'MARK':
      case 'setMark':
        this.#packet = { ...this.#packet, mark: marked(this.#packet.mark, target) };
        return undefined;
      case 'unknown':
        return this.#unknown(place, rule.text);
      case 'jump':
      case 'goto': {
        if (!chains.has(target.chain) || depth >= deepest) return this.#unknown(place, rule.text);
        const there = { ...place, chain: target.chain };
        const end = this.#throughChain(there, chains, depth + 1);
        return end === 'returned' && target.target === 'jump' ? undefined : end;
      }
    }
  }

  #unknown(place: Place, reason: string): 'unknown' {
    this.#steps.push({ kind: 'unknown', place, reason });
    return 'unknown';
  }
}

function marked(
  mark: number,
  target: Extract<SavedTarget, { target: 'MARK' | 'setMark' }>,
): number {
  if (target.target === 'setMark') return ((mark & ~target.mask) ^ target.value) >>> 0;
  return (target.operation === 'or' ? mark | target.value : mark ^ target.value) >>> 0;
}
