import { families } from '../ip/address.ts';
import { setIds, setName } from '../proxy/desired/sets.ts';

/** The sets of all releases and both families, including retired names and the temporary set of a swap. */
export const proxySets: ReadonlySet<string> = new Set([
  ...families.flatMap((family) => setIds.map((id) => setName(id, family))),
  'KUBE-NODE-PORT-SCTP',
  'KUBE-NODE-PORT-LOCAL-SCTP',
  'KUBE-6-NODE-PORT-SCTP',
  'KUBE-6-NODE-PORT-LOCAL-SCTP',
  'KUBE-IPVS-TEMPORARY',
]);
