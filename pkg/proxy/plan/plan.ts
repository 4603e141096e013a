import { familyOf, type IpAddress } from '../../ip/address.ts';
import type { VirtualServer, VirtualServerId } from '../../ipvs/ipvs.ts';
import { Keys } from '../desired/keys.ts';
import { planDenial, planEntries, planMarks, planShared } from './entries.ts';
import type { PlanInput, PlannedServer } from './input.ts';
import type { Operation } from './operation.ts';
import { Phases } from './phases.ts';
import { planServer } from './real-servers.ts';
import { hasNoRules, planRules, waitsForDenial, waitsForRules } from './rules.ts';

/** Operations in their order, and what cannot be planned yet. */
export interface Plan {
  readonly operations: readonly Operation[];
  /** Virtual servers, and their addresses, that must not stand, or change, before rules are written: to be planned again when they are. */
  readonly waiting: Keys;
  /** Virtual servers, and their addresses, that need an entry which is not held yet: to be planned again after the operations. */
  readonly unmarked: Keys;
}

/**
 * The operations that make the kernel hold what is wanted, in an order that breaks nothing on the way
 * (`design.md` section 2): everything a virtual server needs stands before it, its address comes last;
 * what is new stands before what is old drains, and goes in reverse. Depends on the input alone.
 */
export function plan(input: PlanInput): Plan {
  const planned = { phases: new Phases(), waiting: new Keys(), unmarked: new Keys() };
  const { phases, waiting, unmarked } = planned;
  planShared(input, phases);
  planEntries(input, phases);
  planRules(input, phases);
  planServers(input, planned);
  planUnbinding(input, phases);
  return { operations: phases.inOrder(), waiting, unmarked };
}

const none: readonly never[] = Object.freeze([]);

/** The results that planning virtual servers adds to. */
interface Planned {
  readonly phases: Phases;
  readonly waiting: Keys;
  readonly unmarked: Keys;
}

/** A virtual server that is wanted and can stand now. */
interface Standing {
  readonly virtualServer: VirtualServer;
  readonly server: PlannedServer;
}

function planServers(input: PlanInput, planned: Planned): void {
  const { phases, waiting, unmarked } = planned;
  const standing: Standing[] = [];
  for (const server of input.virtualServers) {
    const { frontEnd, held, isAddressHeld } = server;
    if (frontEnd === undefined) {
      if (held === undefined) continue;
      const phase = isAddressHeld === false ? 'deleteUnbound' : 'deleteBound';
      phases.add(phase, { kind: 'deleteVirtualServer', virtualServer: held });
      continue;
    }
    const { virtualServer } = frontEnd;
    const isWaiting =
      waitsForDenial(server, input) || (held === undefined && waitsForRules(server, input));
    if (isWaiting) {
      postpone(server, waiting);
      continue;
    }
    const isDenied = planDenial(server, phases);
    const isMarked = held !== undefined || planMarks(server, phases);
    if (isDenied && isMarked) standing.push({ virtualServer, server });
    else postpone(server, unmarked);
  }
  if (standing.length === 0 && input.addresses.length === 0) return;
  // The virtual servers of a Service stay together.
  if (standing.length > 1) standing.sort((one, other) => one.server.urgency - other.server.urgency);
  const added = planStanding(input, { standing, planned });
  if (added.length > 0) phases.add('forget', { kind: 'forgetFlows', virtualServers: added });
}

function postpone({ key, frontEnd }: PlannedServer, later: Keys): void {
  later.addVirtualServer(key);
  if (frontEnd?.isBound === true) later.addAddress(frontEnd.virtualServer.address);
}

/** Plans virtual servers, and after each class of urgency the addresses whose virtual servers are all planned by then. */
function planStanding(
  input: PlanInput,
  { standing, planned }: { standing: readonly Standing[]; planned: Planned },
): readonly VirtualServerId[] {
  const { phases } = planned;
  const unbound = addressesToBind(input, { standing, planned });
  const context = { phases, rotation: input.rotation };
  if (unbound.size === 0) {
    for (const { virtualServer, server } of standing) planServer(virtualServer, server, context);
    return standing.flatMap(({ virtualServer, server }) => (server.held ? none : virtualServer));
  }
  // An address with several virtual servers counts as the least urgent of them, as it comes last.
  const urgencies = new Map(
    standing.map(({ virtualServer, server }) => [virtualServer.address, server.urgency]),
  );
  const added: VirtualServerId[] = [];
  const bind = (isDue: (address: IpAddress) => boolean) => {
    for (const address of unbound)
      if (isDue(address) && unbound.delete(address))
        phases.add('serve', { kind: 'bindAddress', address });
  };
  let last = 0;
  for (const { virtualServer, server } of standing) {
    const { urgency, held } = server;
    if (urgency > last) bind((address) => (urgencies.get(address) ?? last) < urgency);
    last = urgency;
    if (held === undefined) added.push(virtualServer);
    planServer(virtualServer, server, context);
  }
  bind(() => true);
  return added;
}

/** The addresses that are wanted and not bound, and that nothing waits for rules for. */
function addressesToBind(
  input: PlanInput,
  { standing, planned: { waiting, unmarked } }: { standing: readonly Standing[]; planned: Planned },
): Set<IpAddress> {
  const found = new Set<IpAddress>();
  if (input.addresses.length === 0) return found;
  for (const { address, isWanted, isHeld } of input.addresses)
    if (isWanted && isHeld !== true) found.add(address);
  if (found.size === 0) return found;
  const judged = new Set([...waiting.addresses, ...unmarked.addresses]);
  for (const { virtualServer, server } of standing) {
    const { address } = virtualServer;
    judged.add(address);
    if (found.has(address) && waitsForRules(server, input)) waiting.addAddress(address);
  }
  for (const address of found)
    if (!judged.has(address) && hasNoRules(address, input)) waiting.addAddress(address);
  for (const address of [...waiting.addresses, ...unmarked.addresses]) found.delete(address);
  return found;
}

function planUnbinding({ addresses, families }: PlanInput, phases: Phases): void {
  for (const { address, isWanted, isHeld } of addresses) {
    if (!families.includes(familyOf(address)) || isWanted || isHeld === false) continue;
    phases.add('unbind', { kind: 'unbindAddress', address });
  }
}
