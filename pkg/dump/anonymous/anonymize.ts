import type { IpAddress } from '../../ip/address.ts';
import { type Prefix, printPrefix, single } from '../../ip/prefix.ts';
import type { NodeDump } from '../dump.ts';
import type { NameKind, Replace } from '../replace.ts';
import { dumpText } from '../write.ts';
import { AddressReplacer, staysInPlace } from './addresses.ts';
import type { Basis } from './basis.ts';
import { replaceMetric } from './metrics.ts';
import { NameReplacer } from './names.ts';
import { replaceRule } from './rules.ts';
import { replaceAddresses, replaceText } from './text.ts';

/** How many keys are tried until no address is replaced by one that is in the dump too. */
const keyLimit = 64;

/**
 * Replaces the names and addresses of a dump consistently, in its texts too. Addresses keep which networks they are in. Nothing in the
 * result leads back: the key of the addresses is made for this and kept nowhere, names are numbered. `newKey` returns 32 random bytes.
 */
export function anonymizer(dump: NodeDump, newKey: () => Uint8Array): Replace {
  const found = collect(dump);
  const names = new NameReplacer(found.names);
  const addresses = chooseAddresses(found, newKey);
  return replaceWith({
    address: (address) => addresses.address(address),
    network: (network) => addresses.network(network),
    name: (kind, name) => names.name(kind, name),
    word: (word) => names.word(word),
  });
}

function replaceWith(basis: Basis): Replace {
  return {
    address: (address) => basis.address(address),
    network: (network) => basis.network(network),
    name: (kind, name) => basis.name(kind, name),
    addresses: (text) => replaceAddresses(text, basis),
    text: (text) => replaceText(text, basis),
    rule: (line) => replaceRule(line, basis),
    metric: (line) => replaceMetric(line, basis),
  };
}

/** Everything that a dump names. */
interface Found {
  readonly names: Map<NameKind, Set<string>>;
  readonly addresses: Set<IpAddress>;
  readonly networks: Map<string, Prefix>;
}

/** Finds what is to be replaced by replacing it with itself. */
function collect(dump: NodeDump): Found {
  const found: Found = { names: new Map(), addresses: new Set(), networks: new Map() };
  const collector = replaceWith({
    address(address) {
      found.addresses.add(address);
      return address;
    },
    network(network) {
      found.networks.set(printPrefix(network), network);
      return network;
    },
    name(kind, name) {
      const isPrefix = kind === 'device' && name.endsWith('+');
      const names = found.names.get(kind) ?? new Set();
      found.names.set(kind, names.add(isPrefix ? name.slice(0, -1) : name));
      return name;
    },
    word: () => undefined,
  });
  // Its pieces are made for what the collector sees of them.
  for (const piece of dumpText(dump, collector)) void piece;
  return found;
}

/** The addresses' replacements, of some, with the fewest that are in the dump too: mostly none. */
function chooseAddresses(found: Found, newKey: () => Uint8Array): AddressReplacer {
  const addresses = new Set([...found.addresses].filter((one) => !staysInPlace(single(one))));
  const networks = new Map([...found.networks].filter(([, one]) => !staysInPlace(one)));
  let best: { readonly replacer: AddressReplacer; readonly count: number } | undefined;
  for (let tries = 0; tries < keyLimit && best?.count !== 0; tries++) {
    const replacer = new AddressReplacer(newKey());
    const count = coincidences(replacer, { addresses, networks, limit: best?.count });
    if (best === undefined || count < best.count) best = { replacer, count };
  }
  if (best === undefined) throw new Error('no key was tried');
  return best.replacer;
}

/** How many addresses and networks are replaced by others that are in the dump too, counted up to a limit. */
function coincidences(
  replacer: AddressReplacer,
  {
    addresses,
    networks,
    limit = Number.POSITIVE_INFINITY,
  }: Pick<Found, 'addresses' | 'networks'> & { readonly limit: number | undefined },
): number {
  let count = 0;
  for (const network of networks.values())
    if (networks.has(printPrefix(replacer.network(network)))) count++;
  for (const address of addresses) {
    if (count >= limit) break;
    if (addresses.has(replacer.address(address))) count++;
  }
  return count;
}
