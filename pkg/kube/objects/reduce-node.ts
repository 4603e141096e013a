import { type IpAddress, parseAddress } from '../../ip/address.ts';
import { type Prefix, parsePrefix } from '../../ip/prefix.ts';
import type { Node } from '../types.ts';
import { type Fields, type Item, quoted } from './fields.ts';
import { goingTaint, zoneLabel } from './names.ts';
import type { Pool } from './pool.ts';

/** Reads a Node from a JSON object. */
export function reduceNode(fields: Fields, { name, pool }: { name: string; pool: Pool }): Node {
  const metadata = fields.object('metadata');
  const spec = fields.object('spec');
  const taints = spec?.objects('taints') ?? [];
  const isGoing =
    metadata?.has('deletionTimestamp') === true ||
    taints.some((taint) => taint.string('key') === goingTaint);
  return {
    name: pool.text(name),
    zone: pool.text(metadata?.object('labels')?.string(zoneLabel) ?? ''),
    addresses: nodeAddresses(fields),
    podCIDRs: spec === undefined ? [] : podCIDRs(spec),
    isEligible: !isGoing,
  };
}

function nodeAddresses(fields: Fields): IpAddress[] {
  const internal: IpAddress[] = [];
  const external: IpAddress[] = [];
  for (const entry of fields.object('status')?.objects('addresses') ?? []) {
    const type = entry.string('type');
    if (type !== 'InternalIP' && type !== 'ExternalIP') continue;
    const text = entry.string('address');
    const address = parseAddress(text);
    if (address === undefined) entry.problem('address', `${quoted(text)} is not an IP address`);
    else (type === 'InternalIP' ? internal : external).push(address);
  }
  return [...new Set([...internal, ...external])];
}

function podCIDRs(spec: Fields): Prefix[] {
  let items: readonly Item[] = spec.strings('podCIDRs');
  const single = spec.string('podCIDR');
  if (items.length === 0 && single !== '') items = [{ value: single, path: 'spec.podCIDR' }];
  const networks: Prefix[] = [];
  for (const { value, path } of items) {
    const network = parsePrefix(value);
    if (network !== undefined) networks.push(network);
    else spec.problemAt(path, `${quoted(value)} is not a network`);
  }
  return networks;
}
