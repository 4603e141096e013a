import { type Family, familyOf, type IpAddress } from '../ip/address.ts';
import {
  type RealServer,
  type RealServerId,
  type VirtualServer,
  type VirtualServerId,
} from '../ipvs/ipvs.ts';
import type { WantedRealServer } from './backends.ts';
import type { Keys } from './keys.ts';
import { type Claim, isSamePod, type Ledger } from './ledger.ts';
import type { HeldRealServer, HeldServer, Mirror } from './mirror.ts';
import type { Operation } from './operation.ts';
import { isDenying, type SetId, setHeader, setIds, setName } from './sets.ts';

/** What a plan is made from. It reads and changes nothing. */
export interface PlanInput {
  readonly wanted: Ledger;
  readonly held: Mirror;
  /** What may differ; everything else is taken as right. */
  readonly keys: Keys;
  /** Real servers that the graceful termination manager looks after already. */
  readonly isDraining: (server: VirtualServerId, backend: RealServerId) => boolean;
  /** Those of them that go as soon as may be already. */
  readonly isEndingNow: (server: VirtualServerId, backend: RealServerId) => boolean;
  /** Real servers that must not be added yet: another pod had their address a moment ago. */
  readonly isResting: (
    server: VirtualServerId,
    backend: RealServerId & { readonly podUid: string },
  ) => boolean;
  /** The families that are served. */
  readonly families: readonly Family[];
}

/**
 * The operations that make the kernel hold what is wanted, in an order that breaks nothing on the way
 * (`design.md` section 2): everything a virtual server needs stands before it, its address comes last;
 * what is new stands before what is old drains, and goes in reverse.
 */
export function plan(input: PlanInput): readonly Operation[] {
  const phases = new Phases();
  planShared(input, phases);
  planEntries(input, phases);
  planRules(input, phases);
  planServers(input, phases);
  planUnbinding(input, phases);
  return phases.inOrder();
}

const phaseNames = [
  'create',
  'allow',
  'deny',
  'growRules',
  'serve',
  'forget',
  'drain',
  'deleteUnbound',
  'withdrawAllow',
  'deleteBound',
  'unbind',
  'withdrawDeny',
  'shrinkRules',
] as const;

type Phase = (typeof phaseNames)[number];

class Phases {
  readonly #operations = new Map<Phase, Operation[]>(phaseNames.map((name) => [name, []]));

  add(phase: Phase, operation: Operation): void {
    this.#operations.get(phase)?.push(operation);
  }

  inOrder(): readonly Operation[] {
    return [...this.#operations.values()].flat();
  }
}

/** The device and the sets: all of them, always, as some rules refer to sets that are empty. */
function planShared({ held, families }: PlanInput, phases: Phases): void {
  if (!held.hasDevice) phases.add('create', { kind: 'makeDevice' });
  for (const family of families) {
    for (const id of setIds) {
      if (!held.sets.has(setName(id, family)))
        phases.add('create', { kind: 'createSet', header: setHeader(id, family) });
    }
  }
}

const denyingSets: ReadonlySet<string> = new Set(
  setIds.filter(isDenying).flatMap((id) => [setName(id, 'IPv4'), setName(id, 'IPv6')]),
);

function planEntries({ keys, wanted, held }: PlanInput, phases: Phases): void {
  for (const [set, entries] of keys.entries) {
    const isDenying = denyingSets.has(set);
    const present = held.sets.get(set);
    for (const [key, entry] of entries) {
      const isWanted = wanted.wantsEntry(set, key);
      if (isWanted === (present?.has(key) ?? false)) continue;
      if (isWanted) phases.add(isDenying ? 'deny' : 'allow', { kind: 'addEntry', set, entry });
      else
        phases.add(isDenying ? 'withdrawDeny' : 'withdrawAllow', {
          kind: 'deleteEntry',
          set,
          entry,
        });
    }
  }
}

/** Rules for sets that get their first entries come before the servers, those for sets that lose their last go at the end. */
function planRules({ wanted, held, families }: PlanInput, phases: Phases): void {
  for (const family of families) {
    const needed = wanted.nonEmptySets(family);
    const written = held.rules.get(family);
    const grown = new Set<SetId>(setIds.filter((id) => needed.has(id) || written?.has(id)));
    if (written === undefined || grown.size > written.size)
      phases.add('growRules', { kind: 'setRules', family, nonEmpty: grown });
    if (needed.size < grown.size)
      phases.add('shrinkRules', { kind: 'setRules', family, nonEmpty: needed });
  }
}

function planServers(input: PlanInput, phases: Phases): void {
  const { keys, wanted, held } = input;
  const claims: [string, Claim][] = [];
  for (const key of keys.servers) {
    const claim = wanted.claim(key);
    const present = held.servers.get(key);
    if (claim !== undefined) claims.push([key, claim]);
    else if (present !== undefined) planDeletion(present, { held, phases });
  }
  const added = planStanding(input, { claims: claims.sort(byUrgency), phases });
  if (added.length > 0) phases.add('forget', { kind: 'forgetFlows', servers: added });
}

function planDeletion(
  { server }: HeldServer,
  { held, phases }: { held: Mirror; phases: Phases },
): void {
  const phase = held.bound.has(server.address) ? 'deleteBound' : 'deleteUnbound';
  phases.add(phase, { kind: 'deleteVirtualServer', server });
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
  { claims, phases }: { claims: readonly [string, Claim][]; phases: Phases },
): readonly VirtualServerId[] {
  const { held, wanted, keys } = input;
  const unbound = new Set<IpAddress>();
  for (const address of keys.addresses)
    if (wanted.wantsAddress(address) && !held.bound.has(address)) unbound.add(address);
  // Of an address with several servers the least urgent one counts: it comes last.
  const urgencies = new Map(
    claims.map(([, claim]) => [claim.frontEnd.server.address, urgency(claim)]),
  );
  const added: VirtualServerId[] = [];
  const bind = (isDue: (address: IpAddress) => boolean) => {
    for (const address of unbound)
      if (isDue(address) && unbound.delete(address))
        phases.add('serve', { kind: 'bindAddress', address });
  };
  let last = 0;
  for (const [key, claim] of claims) {
    const { server } = claim.frontEnd;
    if (urgency(claim) > last) bind((address) => (urgencies.get(address) ?? last) < urgency(claim));
    last = urgency(claim);
    const present = held.servers.get(key);
    if (present === undefined) added.push(server);
    planServer(claim, { present, input, phases });
  }
  bind(() => true);
  return added;
}

function planServer(
  { frontEnd }: Claim,
  { present, input, phases }: { present: HeldServer | undefined; input: PlanInput; phases: Phases },
): void {
  const { server } = frontEnd;
  if (present === undefined) phases.add('serve', { kind: 'addVirtualServer', server });
  else if (differs(server, present.server))
    phases.add('serve', { kind: 'updateVirtualServer', server });
  const wanted = frontEnd.realServers;
  for (const [key, realServer] of wanted) {
    const held = present?.realServers.get(key);
    planRealServer(server, { wanted: realServer, present: held, input, phases });
  }
  for (const [key, backend] of present?.realServers ?? []) {
    if (wanted.has(key) || (backend.weight === 0 && input.isDraining(server, backend))) continue;
    const drained = { ...toRealServer(backend), weight: 0 };
    phases.add('drain', {
      kind: 'drainRealServer',
      server,
      backend: drained,
      podUid: backend.podUid,
    });
  }
}

function planRealServer(
  server: VirtualServer,
  {
    wanted,
    present,
    input,
    phases,
  }: {
    wanted: WantedRealServer;
    present: HeldRealServer | undefined;
    input: PlanInput;
    phases: Phases;
  },
): void {
  const { podUid } = wanted;
  const backend = toRealServer(wanted);
  if (present === undefined) {
    const isDue = backend.weight > 0 && !input.isResting(server, wanted);
    if (isDue) phases.add('serve', { kind: 'addRealServer', server, backend, podUid });
  } else if (!isSamePod(podUid, present.podUid)) {
    if (present.weight === 0 && input.isEndingNow(server, present)) return;
    phases.add('serve', {
      kind: 'replaceRealServer',
      server,
      backend: { ...backend, weight: 0 },
      podUid: present.podUid,
    });
  } else if (hasChanged(backend, present)) {
    phases.add(backend.weight > 0 ? 'serve' : 'drain', {
      kind: 'weighRealServer',
      server,
      backend,
      podUid,
    });
  }
}

function toRealServer({
  address,
  port,
  weight,
}: RealServerId & { readonly weight: number }): RealServer {
  return { address, port, weight, forwarding: 'masquerade', upperThreshold: 0, lowerThreshold: 0 };
}

function hasChanged(wanted: RealServer, held: RealServer): boolean {
  return (
    wanted.weight !== held.weight ||
    wanted.forwarding !== held.forwarding ||
    wanted.upperThreshold !== held.upperThreshold ||
    wanted.lowerThreshold !== held.lowerThreshold
  );
}

function differs(wanted: VirtualServer, held: VirtualServer): boolean {
  return (
    wanted.scheduler !== held.scheduler ||
    wanted.flags !== held.flags ||
    wanted.timeout !== held.timeout ||
    wanted.prefixLength !== held.prefixLength ||
    wanted.persistenceEngine !== held.persistenceEngine
  );
}

function planUnbinding({ keys, wanted, held, families }: PlanInput, phases: Phases): void {
  for (const address of keys.addresses) {
    if (
      !families.includes(familyOf(address)) ||
      wanted.wantsAddress(address) ||
      !held.bound.has(address)
    )
      continue;
    phases.add('unbind', { kind: 'unbindAddress', address });
  }
}
