import { savedJump, savedRule } from '../firewall/saved.ts';
import { familyOf } from '../ip/address.ts';
import { canonicalEntries, entryKey } from '../ipset/ipset.ts';
import {
  printRealServer,
  printVirtualServer,
  realServerKey,
  type VirtualServerId,
  virtualServerKey,
} from '../ipvs/ipvs.ts';
import { deviceName } from '../proxy/desired/device.ts';
import { type SetId, setHeader, setIds, setName } from '../proxy/desired/sets.ts';
import type { KernelState } from '../trace/state.ts';
import type { DesiredState } from './desired.ts';
import { chainsOf, chosenFilter } from './rulesets.ts';

/** One thing that is otherwise than it should be. */
export interface Difference {
  readonly kind: 'missing' | 'extra' | 'other';
  readonly what:
    | 'virtual server'
    | 'real server'
    | 'address'
    | 'local route'
    | 'set entry'
    | 'rule'
    | 'jump';
  /** `real server 10.0.1.4:8080 of 172.30.0.1:80/TCP is missing`. */
  readonly text: string;
}

/** How many differences of rules are listed. */
const ruleLimit = 50;

/** The differences between the kernel and what should be there that concern packets to a virtual server. */
export function differencesOf(
  kernel: KernelState,
  desired: DesiredState,
  id: VirtualServerId,
): readonly Difference[] {
  const context = { kernel, desired, id };
  return [
    ...virtualServerDifferences(context),
    ...addressDifferences(context),
    ...entryDifferences(context),
    ...ruleDifferences(context),
  ];
}

interface Context {
  readonly kernel: KernelState;
  readonly desired: DesiredState;
  readonly id: VirtualServerId;
}

function missing(what: Difference['what'], name: string): Difference {
  return { kind: 'missing', what, text: `${what} ${name} is missing` };
}

function extra(what: Difference['what'], name: string): Difference {
  return { kind: 'extra', what, text: `${what} ${name} should not be there` };
}

function virtualServerDifferences({ kernel, desired, id }: Context): readonly Difference[] {
  const key = virtualServerKey(id);
  const held = kernel.virtualServers.get(key);
  const frontEnd = desired.ledger.frontEnd(key);
  const name = printVirtualServer(id);
  if (frontEnd === undefined)
    return held !== undefined && desired.ledger.wantsAddress(id.address)
      ? [extra('virtual server', name)]
      : [];
  const holder = desired.ledger.lastOwner(key);
  const owner = holder === undefined ? '' : ` of Service ${holder.key}`;
  if (held === undefined) return [missing('virtual server', `${name}${owner}`)];
  const { virtualServer, realServers: wanted } = frontEnd;
  const found: Difference[] = [];
  for (const field of ['scheduler', 'timeout'] as const)
    if (held.virtualServer[field] !== virtualServer[field])
      found.push({
        kind: 'other',
        what: 'virtual server',
        text: `virtual server ${name} has the ${field} ${held.virtualServer[field]}, and should have ${virtualServer[field]}`,
      });
  const heldByKey = new Map(held.realServers.map((one) => [realServerKey(one), one]));
  for (const one of wanted.values()) {
    const known = heldByKey.get(realServerKey(one));
    heldByKey.delete(realServerKey(one));
    const title = `${printRealServer(one)} of ${name}`;
    if (known === undefined && one.weight > 0) found.push(missing('real server', title));
    else if (known !== undefined && known.weight === 0 && one.weight > 0)
      found.push({
        kind: 'other',
        what: 'real server',
        text: `real server ${title} has weight 0, and should have ${one.weight}`,
      });
  }
  for (const one of heldByKey.values())
    if (one.weight > 0) found.push(extra('real server', `${printRealServer(one)} of ${name}`));
  return found;
}

function addressDifferences({ kernel, desired, id: { address } }: Context): readonly Difference[] {
  const link = kernel.addresses.get(address);
  const wants = desired.ledger.wantsAddress(address);
  if (wants && link === undefined)
    return desired.binding === 'route'
      ? [missing('local route', `to ${address}`)]
      : [missing('address', `${address} on ${deviceName}`)];
  if (!wants && link === deviceName) return [extra('address', `${address} on ${deviceName}`)];
  return [];
}

/** Entries of the front end, and those by which its real servers reach themselves. */
function entryDifferences(context: Context): readonly Difference[] {
  const { kernel, desired, id } = context;
  const { ledger } = desired;
  const family = familyOf(id.address);
  const found: Difference[] = [];
  for (const set of setIds) {
    const name = setName(set, family);
    const held = kernel.sets.get(name);
    if (held === 'unreadable') continue;
    if (setHeader(set, family).type === 'bitmap:port' && !isNodePort(set, context)) continue;
    const wanted = desired.entries.get(set) ?? [];
    for (const entry of wanted.flatMap(canonicalEntries))
      if (!held?.keys.has(entryKey(entry)))
        found.push(missing('set entry', `${entryKey(entry)} of ${name}`));
    for (const key of keysAbout(id))
      if (held?.keys.has(key) && !ledger.wantsEntry(name, key) && set !== 'loopBack')
        found.push(extra('set entry', `${key} of ${name}`));
  }
  return found;
}

/** Whether a set of ports has ports of the destination's protocol, and the destination is a node port. */
function isNodePort(set: SetId, { kernel, id: { address, protocol } }: Context): boolean {
  const link = kernel.addresses.get(address);
  const isOwn = link !== undefined && link !== deviceName;
  const ofProtocol: readonly SetId[] =
    protocol === 'TCP' ? ['nodePortTcp', 'nodePortLocalTcp'] : ['nodePortUdp', 'nodePortLocalUdp'];
  return isOwn && ofProtocol.includes(set);
}

/** The keys of entries for the destination alone. */
function keysAbout({ address: ip, port, protocol }: VirtualServerId): readonly string[] {
  return [
    entryKey({ type: 'hash:ip', ip }),
    entryKey({ type: 'hash:ip,port', ip, port, protocol }),
    entryKey({ type: 'bitmap:port', port }),
  ];
}

function ruleDifferences({ kernel, desired, id }: Context): readonly Difference[] {
  const family = familyOf(id.address);
  const ruleset = desired.rulesets[family];
  const filters = kernel.tables[family];
  const filter = filters[chosenFilter(filters, ruleset)] ?? new Map();
  const found: Difference[] = [];
  for (const { table, name, rules } of ruleset.chains) {
    if (filter.get(table) === 'opaque') continue;
    const held = (chainsOf(filter, table)?.get(name)?.rules ?? []).map(({ text }) => text);
    const wanted = rules.map((rule) => savedRule(name, rule, family));
    found.push(
      ...without(wanted, held).map((text) => missing('rule', `${text} (${table})`)),
      ...without(held, wanted).map((text) => extra('rule', `${text} (${table})`)),
    );
  }
  for (const jump of ruleset.jumps) {
    if (filter.get(jump.table) === 'opaque') continue;
    const text = savedJump(jump, family);
    const held = chainsOf(filter, jump.table)?.get(jump.from)?.rules ?? [];
    if (!held.some((rule) => rule.text === text))
      found.push(missing('jump', `${text} (${jump.table})`));
  }
  return found.slice(0, ruleLimit);
}

/** The texts of a list that another one does not have. */
function without(texts: readonly string[], others: readonly string[]): readonly string[] {
  const known = new Set(others);
  return texts.filter((text) => !known.has(text));
}
