import type { Family } from '../../ip/address.ts';
import { isMassOmission } from '../../kube/omission.ts';
import type { Kind } from '../../kube/types.ts';
import type { Logger } from '../../log/log.ts';
import { Yielder } from '../../runner/yielder.ts';
import type { SetEntry } from '../desired/footprint.ts';
import { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import type { WantedRealServer } from '../desired/real-servers.ts';
import { setIds, setName } from '../desired/sets.ts';
import type { Unexplained } from '../desired/undecided.ts';
import type { HeldVirtualServer, MirrorView } from '../observed/mirror.ts';
import { wasBound } from '../observed/vip-state.ts';
import type { Removals } from '../reporter.ts';
import type { Intake } from './intake.ts';
import type { Store } from './store.ts';

export interface StartGuardOptions {
  readonly ledger: Ledger;
  readonly mirror: MirrorView;
  readonly store: Pick<Store, 'objects'>;
  readonly intake: Pick<Intake, 'isConfirmed'>;
  readonly families: readonly Family[];
  readonly log: Logger;
  readonly now: () => number;
  /** Requests a second read of a kind; `undefined` if the first read is final. */
  readonly confirm: ((kind: Kind) => void) | undefined;
}

const none: Removals = { virtualServers: 0, realServers: 0 };

/** The Service of the API server itself, which every cluster has, and its port. */
const apiServer = { key: 'default/kubernetes', protocol: 'TCP', port: 443 } as const;

/**
 * Protects a node from an incomplete first read of the API. If that explains too little of what the kernel holds, the unexplained
 * rest stays as it is until a second read leaves it out too. Everything else is carried out meanwhile.
 */
export class StartGuard {
  readonly #options: StartGuardOptions;
  #state: 'unasked' | 'waiting' | 'decided' = 'unasked';
  #undecided = none;

  constructor(options: StartGuardOptions) {
    this.#options = options;
  }

  /** How many objects stay until a second read. */
  get undecided(): Removals {
    return this.#undecided;
  }

  /** Whether objects stay until a second read. */
  get isWaiting(): boolean {
    return this.#state === 'waiting';
  }

  /**
   * Compares what the kernel holds with what is wanted. Does so once: call it after both are known and before anything is deleted. Both
   * must stay as they are until it ends. Lets the event loop turn.
   */
  async inspect(): Promise<void> {
    const { ledger, log, confirm } = this.#options;
    if (this.#state !== 'unasked') return;
    this.#state = 'decided';
    if (confirm === undefined) return;
    const { unexplained, removals, held } = await this.#compare();
    const isMass =
      isMassOmission(removals.virtualServers, held.virtualServers) ||
      isMassOmission(removals.realServers, held.realServers);
    if (!isMass && !this.#lacksApiServer(unexplained)) return;
    this.#state = 'waiting';
    this.#undecided = removals;
    ledger.keep(unexplained);
    confirm('Service');
    confirm('EndpointSlice');
    log.error(
      'not believing that so much went while nobody looked: keeping it until a second read of the API leaves it out too',
      undefined,
      { ...removals, of: held },
    );
  }

  /** The keys to plan again once a second read has decided about them; returned once. Empty before. */
  decide(): Keys {
    const { ledger, intake, log } = this.#options;
    if (!this.isWaiting || !intake.isConfirmed('Service', 'EndpointSlice')) return new Keys();
    this.#state = 'decided';
    this.#undecided = none;
    log.info('a second read of the API decided about what was kept since the start');
    return ledger.decide();
  }

  async #compare(): Promise<{ unexplained: Unexplained; removals: Removals; held: Removals }> {
    const { ledger, mirror, now } = this.#options;
    const yielder = new Yielder(now);
    const unexplained = new Map<string, readonly WantedRealServer[]>();
    let virtualServers = 0;
    let realServers = 0;
    let heldRealServers = 0;
    for (const [key, held] of mirror.virtualServers) {
      const unwanted = this.#unwantedRealServers(key, held);
      heldRealServers += held.realServers.size;
      realServers += unwanted.length;
      if (!ledger.wants(key)) virtualServers++;
      if (unwanted.length > 0 || !ledger.wants(key)) unexplained.set(key, unwanted);
      if (yielder.isDue) await yielder.yieldIfDue();
    }
    const vips = [...mirror.bound, ...mirror.routes.addresses()];
    const addresses = vips.filter((address) => !ledger.wantsAddress(address));
    return {
      unexplained: {
        virtualServers: unexplained,
        addresses,
        entries: await this.#unwantedEntries(yielder),
      },
      removals: { virtualServers, realServers },
      held: { virtualServers: mirror.virtualServers.size, realServers: heldRealServers },
    };
  }

  #unwantedRealServers(
    virtualServer: string,
    held: HeldVirtualServer,
  ): readonly WantedRealServer[] {
    const unwanted: WantedRealServer[] = [];
    held.realServers.forEach(({ state, podUid }, id) => {
      if (this.#options.ledger.wantedRealServer(virtualServer, id) === undefined)
        unwanted.push({ ...id, weight: state.weight === 0 ? 0 : 1, podUid });
    });
    return unwanted;
  }

  async #unwantedEntries(yielder: Yielder): Promise<readonly SetEntry[]> {
    const { ledger, mirror, families } = this.#options;
    const unwanted: SetEntry[] = [];
    for (const family of families) {
      for (const set of setIds) {
        const name = setName(set, family);
        for (const [key, entry] of mirror.sets.get(name) ?? []) {
          if (!ledger.wantsEntry(name, key)) unwanted.push({ set, family, entry });
          if (yielder.isDue) await yielder.yieldIfDue();
        }
      }
    }
    return unwanted;
  }

  /** Whether the API has no `default/kubernetes` or no slice of it, and the kernel holds a virtual server that looks like it. */
  #lacksApiServer({ virtualServers }: Unexplained): boolean {
    const { ledger, mirror, store } = this.#options;
    const objects = store.objects(apiServer.key);
    const hasSlices = objects !== undefined && [...objects.slices].length > 0;
    if (hasSlices) return false;
    for (const [key, realServers] of virtualServers) {
      const { protocol, port, address } = mirror.virtualServers.get(key)?.virtualServer ?? {};
      const isLike =
        protocol === apiServer.protocol &&
        port === apiServer.port &&
        address !== undefined &&
        wasBound(address, mirror);
      if (objects === undefined && isLike && !ledger.wants(key)) return true;
      if (ledger.frontEnd(key)?.owner?.key === apiServer.key && realServers.length > 0) return true;
    }
    return false;
  }
}
