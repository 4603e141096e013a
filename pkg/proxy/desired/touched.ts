import { familyOf } from '../../ip/address.ts';
import { virtualServerKey } from '../../ipvs/ipvs.ts';
import type { FootprintChange, FrontEnd } from './footprint.ts';
import type { Keys } from './keys.ts';
import type { NoLocalEntries } from './no-local.ts';
import type { Undecided } from './undecided.ts';

/** What changed of a front end's endpoints, and where that is noted. */
interface Noting {
  readonly change: FootprintChange;
  readonly touched: Keys;
  readonly undecided: Undecided;
  readonly noLocal: NoLocalEntries;
}

/** Notes which real servers of a front end may differ: all of them if the rule of selection changed. */
export function touchEndpoints(
  { virtualServer, policy, realServers }: FrontEnd,
  { change, touched, undecided, noLocal }: Noting,
): void {
  const { ids, policies } = change;
  const key = virtualServerKey(virtualServer);
  undecided.decided(key, { realServers, ids });
  if (policies.has('localFirst')) noLocal.update(virtualServer, touched);
  if (policy !== undefined && policies.has(policy)) touched.addVirtualServer(key);
  else if (ids.length > 0) touched.addRealServers(key, ids);
  else return;
  touched.addFamily(familyOf(virtualServer.address));
}
