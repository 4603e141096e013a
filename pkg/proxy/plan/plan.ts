import { familyOf, type IpAddress } from '../../ip/address.ts';
import type { VirtualServerId } from '../../ipvs/ipvs.ts';
import { Keys } from '../desired/keys.ts';
import type { Claim } from '../desired/ledger.ts';
import type { HeldServer, Mirror } from '../observed/mirror.ts';
import { planEntries, planMarks, planShared } from './entries.ts';
import type { PlanInput } from './input.ts';
import type { Operation } from './operation.ts';
import { Phases } from './phases.ts';
import { planServer } from './real-servers.ts';
import { hasNoRules, planRules, waitsForRules } from './rules.ts';

/** Operations in their order, and what cannot be planned yet. */
export interface Plan {
  readonly operations: readonly Operation[];
  /** New virtual servers, and their addresses, whose rules are not written yet: to be planned again when they are. */
  readonly waiting: Keys;
  /** New virtual servers, and their addresses, that no entry tells as ours yet: to be planned again after the operations. */
  readonly unmarked: Keys;
}

/**
 * The operations that make the kernel hold what is wanted, in an order that breaks nothing on the way
 * (`design.md` section 2): everything a virtual server needs stands before it, its address comes last;
 * what is new stands before what is old drains, and goes in reverse.
 */
export function plan(input: PlanInput): Plan {
  const phases = new Phases();
  const [waiting, unmarked] = [new Keys(), new Keys()];
  planShared(input, phases);
  planEntries(input, phases);
  planRules(input, phases);
  planServers(input, { phases, waiting, unmarked });
  planUnbinding(input, phases);
  return { operations: phases.inOrder(), waiting, unmarked };
}

/** What a pass over virtual servers adds to. */
interface Planned {
  readonly phases: Phases;
  readonly waiting: Keys;
  readonly unmarked: Keys;
}

function planServers(input: PlanInput, planned: Planned): void {
  const { keys, wanted, held } = input;
  const { phases, waiting, unmarked } = planned;
  const claims: [string, Claim][] = [];
  const put = (later: Keys, { key, claim }: { key: string; claim: Claim }) => {
    later.virtualServers.add(key);
    if (claim.frontEnd.isBound) later.addresses.add(claim.frontEnd.virtualServer.address);
  };
  for (const key of keys.virtualServers) {
    const claim = wanted.claim(key);
    const present = held.virtualServers.get(key);
    if (claim === undefined) {
      if (present !== undefined) planDeletion(present, { held, phases });
    } else if (present !== undefined) claims.push([key, claim]);
    else if (waitsForRules(claim.frontEnd, held)) put(waiting, { key, claim });
    else if (planMarks(claim.frontEnd, { input, phases })) claims.push([key, claim]);
    else put(unmarked, { key, claim });
  }
  const added = planStanding(input, { claims: claims.sort(byUrgency), planned });
  if (added.length > 0) phases.add('forget', { kind: 'forgetFlows', virtualServers: added });
}

function planDeletion(
  { virtualServer }: HeldServer,
  { held, phases }: { held: Mirror; phases: Phases },
): void {
  const isBound = held.hasAddress(virtualServer.address) !== false;
  const phase = isBound ? 'deleteBound' : 'deleteUnbound';
  phases.add(phase, { kind: 'deleteVirtualServer', virtualServer });
}

/** The API server first, then what the node itself needs, then the rest; one Service's servers stay together. */
function byUrgency([, one]: [string, Claim], [, other]: [string, Claim]): number {
  return urgency(one) - urgency(other);
}

/** How early a virtual server must stand: the lower the sooner. One that nobody claims can wait. */
export function urgency(claim: Claim | undefined): number {
  if (claim?.owner?.key === 'default/kubernetes') return 0;
  return claim?.owner?.key.startsWith('kube-system/') ? 1 : 2;
}

/** Servers, and then their addresses together; those of the more urgent servers do not wait for the others. */
function planStanding(
  input: PlanInput,
  { claims, planned }: { claims: readonly [string, Claim][]; planned: Planned },
): readonly VirtualServerId[] {
  const { held } = input;
  const { phases } = planned;
  const unbound = addressesToBind(input, { claims, planned });
  // Of an address with several servers the least urgent one counts: it comes last.
  const urgencies = new Map(
    claims.map(([, claim]) => [claim.frontEnd.virtualServer.address, urgency(claim)]),
  );
  const added: VirtualServerId[] = [];
  const bind = (isDue: (address: IpAddress) => boolean) => {
    for (const address of unbound)
      if (isDue(address) && unbound.delete(address))
        phases.add('serve', { kind: 'bindAddress', address });
  };
  let last = 0;
  for (const [key, claim] of claims) {
    const { virtualServer } = claim.frontEnd;
    if (urgency(claim) > last) bind((address) => (urgencies.get(address) ?? last) < urgency(claim));
    last = urgency(claim);
    const present = held.virtualServers.get(key);
    if (present === undefined) added.push(virtualServer);
    planServer(claim, { present, input, phases });
  }
  bind(() => true);
  return added;
}

/** The addresses that are wanted, not bound, and behind which nothing waits for rules. */
function addressesToBind(
  { keys, wanted, held }: PlanInput,
  {
    claims,
    planned: { waiting, unmarked },
  }: { claims: readonly [string, Claim][]; planned: Planned },
): Set<IpAddress> {
  const found = new Set<IpAddress>();
  for (const address of keys.addresses)
    if (wanted.wantsAddress(address) && held.hasAddress(address) !== true) found.add(address);
  if (found.size === 0) return found;
  const judged = new Set([...waiting.addresses, ...unmarked.addresses]);
  for (const [, { frontEnd }] of claims) {
    const { address } = frontEnd.virtualServer;
    judged.add(address);
    if (found.has(address) && waitsForRules(frontEnd, held)) waiting.addresses.add(address);
  }
  for (const address of found)
    if (!judged.has(address) && hasNoRules(address, held)) waiting.addresses.add(address);
  for (const address of [...waiting.addresses, ...unmarked.addresses]) found.delete(address);
  return found;
}

function planUnbinding({ keys, wanted, held, families }: PlanInput, phases: Phases): void {
  for (const address of keys.addresses) {
    if (
      !families.includes(familyOf(address)) ||
      wanted.wantsAddress(address) ||
      held.hasAddress(address) === false
    )
      continue;
    phases.add('unbind', { kind: 'unbindAddress', address });
  }
}
