import { isNotFound, isUnsupported } from '../../errno/errno.ts';
import type { Firewall, RulePlace, RuleTables } from '../../firewall/firewall.ts';
import type { Family } from '../../ip/address.ts';
import type { Logger } from '../../log/log.ts';
import type { NftTableId, NftTables } from '../../nftables/nftables.ts';
import { Backoff } from '../../runner/backoff.ts';
import { type Clock, minutes, seconds } from '../../runner/clock.ts';
import { Runner } from '../../runner/runner.ts';
import { Yielder } from '../../runner/yielder.ts';
import { isServedByIptables, planLeftovers } from '../leftovers/plan.ts';
import { type LeftoverRemoval, printRemoval } from '../leftovers/removal.ts';
import type { Mirror } from '../observed/mirror.ts';

export interface LeftoversOptions {
  readonly firewall: Pick<Firewall, 'capabilities'>;
  readonly ruleTables: RuleTables;
  readonly nftTables: NftTables;
  readonly mirror: Mirror;
  /** Those that are served. */
  readonly families: readonly Family[];
  readonly clock: Clock;
  readonly log: Logger;
}

/** How soon it is looked again whether our own rules stand, in milliseconds. */
const rulesPause = seconds(5);

/**
 * What other modes of kube-proxy left in the packet filter. It is looked at before the first sync, whose order depends on it, and
 * taken away after it: once, and in the background, as the programs of iptables may wait long for their lock. A removal that fails
 * is repeated with growing pauses; nothing waits for it.
 */
export class Leftovers {
  readonly #options: LeftoversOptions;
  readonly #runner: Runner;
  readonly #backoff = new Backoff({ first: seconds(1), last: minutes(5) });
  #hasLooked = false;

  constructor(options: LeftoversOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#runner = new Runner({ clock, log, minInterval: 0, run: () => this.#removeAll() });
  }

  /**
   * Records in the mirror which families iptables mode serves now. Does so once. Where it cannot be told, it counts as serving, since
   * the order that fits then harms nobody.
   */
  async look(): Promise<void> {
    if (this.#hasLooked) return;
    const { mirror, families, log } = this.#options;
    try {
      const served = await this.#servedByIptables();
      mirror.recordServedByIptables(served);
      if (served.length > 0)
        log.info('iptables mode serves on this node: its nat rules are replaced last', {
          families: served,
        });
    } catch (error) {
      mirror.recordServedByIptables(families);
      log.error('could not tell whether another mode of kube-proxy serves on this node', error);
    }
    this.#hasLooked = true;
  }

  /** Records that no family counts as served by iptables mode any more, so that all our rules are planned. False if none did. */
  takeOver(): boolean {
    const { mirror } = this.#options;
    const wasServing = mirror.servedByIptables.size > 0;
    if (wasServing) mirror.recordServedByIptables([]);
    return wasServing;
  }

  /** Requests that everything be taken away, once our own rules stand. */
  request(): void {
    this.#runner.request();
  }

  /** Carries requests out until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#runner.run(signal);
  }

  async #servedByIptables(): Promise<readonly Family[]> {
    const { ruleTables, families } = this.#options;
    const places = await ruleTables.read();
    const flavour = await this.#flavour();
    return families.filter((family) =>
      places.some(
        (place) =>
          place.family === family && place.flavour === flavour && isServedByIptables(place),
      ),
    );
  }

  /** The flavour of our own rules, the same for all families. */
  async #flavour(): Promise<RulePlace['flavour']> {
    const { firewall, families } = this.#options;
    return (await firewall.capabilities(families[0] ?? 'IPv4')).flavour;
  }

  async #removeAll(): Promise<void> {
    if (!this.#haveRules()) {
      this.#runner.retryAfter(rulesPause);
      return;
    }
    const { ruleTables, families, clock, log } = this.#options;
    try {
      const rules = await ruleTables.read();
      const found = { rules, nftTables: await this.#nftTables() };
      const flavour = await this.#flavour();
      const yielder = new Yielder(() => clock.now());
      const pause = () => yielder.yieldIfDue();
      const { removals, held } = await planLeftovers(found, { flavour, families, pause });
      for (const removal of removals) await this.#carryOut(removal);
      if (removals.length > 0)
        log.info('removed what another mode of kube-proxy left', {
          removed: removals.map(printRemoval).join(', '),
        });
      if (held.length > 0)
        log.warn('chains of another mode of kube-proxy stay: rules of others lead into them', {
          chains: held.join(', '),
        });
    } catch (error) {
      log.error('could not remove what another mode of kube-proxy left', error);
      this.#runner.retryAfter(this.#backoff.next());
    }
  }

  /** Whether all our own rules stand: nothing of another mode is needed any more. */
  #haveRules(): boolean {
    const { mirror, families } = this.#options;
    return families.every((family) => mirror.rules.get(family)?.written?.leavesNat === false);
  }

  async #nftTables(): Promise<readonly NftTableId[]> {
    try {
      return await this.#options.nftTables.tables();
    } catch (error) {
      if (isUnsupported(error)) return [];
      throw error;
    }
  }

  async #carryOut(removal: LeftoverRemoval): Promise<void> {
    const { ruleTables, nftTables } = this.#options;
    if (removal.kind === 'removeRules')
      return await ruleTables.remove(removal.place, removal.removals);
    try {
      nftTables.deleteTable(removal.table);
    } catch (error) {
      // Somebody was faster.
      if (!isNotFound(error)) throw error;
    }
  }
}
