import type { IpAddress } from '../../ip/address.ts';
import type { VirtualServer, VirtualServerId } from '../../ipvs/ipvs.ts';
import { Keys } from '../desired/keys.ts';
import { planDenial, planEntries, planMarks, planShared } from './entries.ts';
import type { PlanInput, PlannedVirtualServer } from './input.ts';
import type { Operation } from './operation.ts';
import { Phases } from './phases.ts';
import { planVirtualServer } from './real-servers.ts';
import { hasNoRules, planRules, waitsForDenial, waitsForRules } from './rules.ts';
import { bindingOf, planRanges, planUnbinding } from './vips.ts';

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
  const results = { phases: new Phases(), waiting: new Keys(), unmarked: new Keys() };
  const { phases, waiting, unmarked } = results;
  planShared(input, phases);
  planEntries(input, phases);
  planRules(input, phases);
  planVirtualServers(input, results);
  planRanges(input, results);
  planUnbinding(input, results);
  return { operations: phases.inOrder(), waiting, unmarked };
}

const none: readonly never[] = Object.freeze([]);

/** The results that planning virtual servers adds to. */
interface Results {
  readonly phases: Phases;
  readonly waiting: Keys;
  readonly unmarked: Keys;
}

/** A virtual server that is wanted and can stand now. */
interface Standing {
  readonly virtualServer: VirtualServer;
  readonly planned: PlannedVirtualServer;
}

function planVirtualServers(input: PlanInput, results: Results): void {
  const { phases, waiting, unmarked } = results;
  const standing: Standing[] = [];
  for (const planned of input.virtualServers) {
    const { frontEnd, held, isAddressHeld } = planned;
    if (frontEnd === undefined) {
      if (held === undefined) continue;
      const phase = isAddressHeld === false ? 'deleteUnbound' : 'deleteBound';
      phases.add(phase, { kind: 'deleteVirtualServer', virtualServer: held });
      continue;
    }
    const { virtualServer } = frontEnd;
    const isWaiting =
      waitsForDenial(planned, input) || (held === undefined && waitsForRules(planned, input));
    if (isWaiting) {
      postpone(planned, waiting);
      continue;
    }
    const isDenied = planDenial(planned, phases);
    const isMarked = held !== undefined || planMarks(planned, phases);
    if (isDenied && isMarked) standing.push({ virtualServer, planned });
    else postpone(planned, unmarked);
  }
  if (standing.length === 0 && input.addresses.length === 0) return;
  // The virtual servers of a Service stay together.
  if (standing.length > 1)
    standing.sort((one, other) => one.planned.urgency - other.planned.urgency);
  const added = planStanding(input, { standing, results });
  if (added.length > 0) phases.add('forget', { kind: 'forgetFlows', virtualServers: added });
}

function postpone({ key, frontEnd }: PlannedVirtualServer, later: Keys): void {
  later.addVirtualServer(key);
  if (frontEnd?.isBound === true) later.addAddress(frontEnd.virtualServer.address);
}

/** Plans virtual servers, and after each class of urgency the addresses whose virtual servers are all planned by then. */
function planStanding(
  input: PlanInput,
  { standing, results }: { standing: readonly Standing[]; results: Results },
): readonly VirtualServerId[] {
  const { phases } = results;
  const unbound = addressesToBind(input, { standing, results });
  const context = { phases, rotation: input.rotation };
  if (unbound.size === 0) {
    for (const { virtualServer, planned } of standing)
      planVirtualServer(virtualServer, planned, context);
    return standing.flatMap(({ virtualServer, planned }) => (planned.held ? none : virtualServer));
  }
  // An address with several virtual servers counts as the least urgent of them, as it comes last.
  const urgencies = new Map<IpAddress, number>();
  if (standing[0]?.planned.urgency !== standing.at(-1)?.planned.urgency)
    for (const { virtualServer, planned } of standing)
      urgencies.set(virtualServer.address, planned.urgency);
  const added: VirtualServerId[] = [];
  const bind = (isDue: (address: IpAddress) => boolean) => {
    unbound.forEach((binding, address) => {
      if (isDue(address) && unbound.delete(address)) phases.add('serve', binding);
    });
  };
  let last = standing[0]?.planned.urgency ?? 0;
  for (const { virtualServer, planned } of standing) {
    const { urgency, held } = planned;
    if (urgency > last) bind((address) => (urgencies.get(address) ?? last) < urgency);
    last = urgency;
    if (held === undefined) added.push(virtualServer);
    planVirtualServer(virtualServer, planned, context);
  }
  bind(() => true);
  return added;
}

/** What makes addresses local that are to be and are not, without those that wait for rules. */
function addressesToBind(
  input: PlanInput,
  { standing, results: { waiting, unmarked } }: { standing: readonly Standing[]; results: Results },
): Map<IpAddress, Operation> {
  const found = new Map<IpAddress, Operation>();
  for (const vip of input.addresses) {
    const binding = bindingOf(vip);
    if (binding !== undefined) found.set(vip.address, binding);
  }
  if (found.size === 0) return found;
  const judged = new Set([...waiting.addresses, ...unmarked.addresses]);
  for (const { virtualServer, planned } of standing) {
    const { address } = virtualServer;
    judged.add(address);
    // A new one stands only if it does not wait.
    const mayWait = planned.held !== undefined && found.has(address);
    if (mayWait && waitsForRules(planned, input)) waiting.addAddress(address);
  }
  for (const address of found.keys())
    if (!judged.has(address) && hasNoRules(address, input)) waiting.addAddress(address);
  for (const address of [...waiting.addresses, ...unmarked.addresses]) found.delete(address);
  return found;
}
