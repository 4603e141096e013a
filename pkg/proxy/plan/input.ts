import type { Family } from '../../ip/address.ts';
import type { RealServerId, VirtualServerId } from '../../ipvs/ipvs.ts';
import type { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import type { Mirror } from '../observed/mirror.ts';

/** What a plan is made from. It reads and changes nothing. */
export interface PlanInput {
  readonly wanted: Ledger;
  readonly held: Mirror;
  /** What may differ; everything else is taken as right. */
  readonly keys: Keys;
  /** Real servers that the graceful termination manager looks after already. */
  readonly isDraining: (virtualServer: VirtualServerId, realServer: RealServerId) => boolean;
  /** Those of them that go as soon as may be already. */
  readonly isEndingNow: (virtualServer: VirtualServerId, realServer: RealServerId) => boolean;
  /** Real servers that must not be added yet: another pod had their address a moment ago. */
  readonly isResting: (
    virtualServer: VirtualServerId,
    realServer: RealServerId & { readonly podUid: string },
  ) => boolean;
  /** The families that are served. */
  readonly families: readonly Family[];
}
