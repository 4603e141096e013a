import type { LinkAddress } from '../../links/links.ts';
import type { Logger } from '../../log/log.ts';

/** How many VIPs are named in the log at a time. */
const namedLimit = 20;

/**
 * Reports VIPs that another device has too, as NodeLocal DNSCache gives its own. The kernel's route to such an address comes before
 * ours: Services work, and the node's own clients send from the VIP.
 */
export class ForeignVips {
  readonly #log: Logger;
  #reported: ReadonlySet<string> = new Set();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Logs those that were not among the last ones. */
  note(found: readonly LinkAddress[]): void {
    const now = new Map(found.map((one) => [`${one.address} ${one.link}`, one]));
    const added = [...now].filter(([key]) => !this.#reported.has(key));
    this.#reported = new Set(now.keys());
    for (const [, { address, link }] of added.slice(0, namedLimit))
      this.#log.warn('another device has the address of a Service', { address, device: link });
    if (added.length > namedLimit)
      this.#log.warn('other devices have more addresses of Services than are named', {
        count: added.length,
      });
  }
}
