import { parseAddress } from '../../ip/address.ts';
import { parsePrefix, printPrefix } from '../../ip/prefix.ts';
import type { Basis } from './basis.ts';

const ipv4 = String.raw`\d{1,3}(?:\.\d{1,3}){3}`;
/** What may be an address of either family, with a length where it is a network. A MAC address or a time is found too. */
const candidate = new RegExp(
  String.raw`(?:[0-9a-fA-F]{0,4}:){2,}(?:${ipv4}|[0-9a-fA-F]{0,4})(?:/\d{1,3})?|${ipv4}(?:/\d{1,2})?`,
  'g',
);
const mac = /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i;

/** Replaces the addresses and networks in a text, and hardware addresses. `rest` replaces what is between them. */
export function replaceAddresses(
  text: string,
  basis: Basis,
  rest: (text: string) => string = (between) => between,
): string {
  const replace = (found: string) => replaceCandidate(found, { basis, rest });
  return replaceMatches(text, { pattern: candidate, replace, rest });
}

/** Replaces what matches, and what is between. What was replaced is not looked at again. */
function replaceMatches(
  text: string,
  {
    pattern,
    replace,
    rest,
  }: {
    readonly pattern: RegExp;
    readonly replace: (found: string) => string;
    readonly rest: (text: string) => string;
  },
): string {
  let result = '';
  let end = 0;
  for (const { 0: found, index } of text.matchAll(pattern)) {
    result += rest(text.slice(end, index)) + replace(found);
    end = index + found.length;
  }
  return result + rest(text.slice(end));
}

interface CandidateOptions {
  readonly basis: Basis;
  readonly rest: (text: string) => string;
}

function replaceCandidate(text: string, { basis, rest }: CandidateOptions): string {
  if (mac.test(text)) return basis.name('hardware', text);
  const whole = replaceWhole(text, basis);
  if (whole !== undefined) return whole;
  // Colons or slashes beside an address: `a:fd00::1`, `10.0.0.1/x`. The longest part counts that is one.
  for (let length = text.length - 1; length >= 2; length--)
    for (let start = 0; start + length <= text.length; start++) {
      const part = replaceWhole(text.slice(start, start + length), basis);
      if (part === undefined) continue;
      const before = replaceAddresses(text.slice(0, start), basis, rest);
      return before + part + replaceAddresses(text.slice(start + length), basis, rest);
    }
  return rest(text);
}

/** A text that is an address or a network as a whole; otherwise `undefined`. Host bits of a network are replaced too. */
function replaceWhole(text: string, basis: Basis): string | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  if (slash < 0) return basis.address(address);
  const network = parsePrefix(text);
  if (network === undefined) return undefined;
  if (network.address === address) return printPrefix(basis.network(network));
  return `${basis.address(address)}/${network.length}`;
}

/** Names of hosts that say nothing about a cluster. */
const knownHost = /(?:^|\.)(?:kube-proxy\.io|k8s\.io|kubernetes\.io|svc|local)$/;
const host = /(?<![\w.-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(?![\w-])/gi;
/** An absolute path of two parts or more. */
const path = /(?<![\w./])\/(?:[\w.@-]+\/)+[\w.@-]+/g;
const knownPath = /^\/(?:proc|sys|metrics|configz|run\/xtables)/;
/** A word as names are: letters and digits, with dots, dashes and underscores inside. */
const word = /[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?/g;

/** Replaces names, addresses, hosts and paths in a text for people. */
export function replaceText(text: string, basis: Basis): string {
  const words = (part: string) => replaceWords(part, basis);
  const addresses = (part: string) => replaceAddresses(part, basis, words);
  const hosts = (part: string) =>
    replaceMatches(part, {
      pattern: host,
      rest: addresses,
      replace(found) {
        const isNone = knownHost.test(found) || basis.word(found) !== undefined;
        return isNone ? addresses(found) : basis.name('host', found);
      },
    });
  return replaceMatches(text, {
    pattern: path,
    rest: hosts,
    replace: (found) => (knownPath.test(found) ? hosts(found) : basis.name('path', found)),
  });
}

/** Replaces words that are known as names, and those that begin, end or have inside one. */
function replaceWords(text: string, basis: Basis): string {
  return text.replace(word, (found) => replaceParts(found, basis));
}

/** How many parts of a word are looked at. */
const partLimit = 24;

function replaceParts(text: string, basis: Basis): string {
  const known = basis.word(text);
  if (known !== undefined) return known;
  const parts = text.split(/([._-])/, partLimit * 2);
  if (parts.length === 1 || parts.join('') !== text) return text;
  for (let length = parts.length - 2; length > 0; length -= 2)
    for (let start = 0; start + length <= parts.length; start += 2) {
      const found = basis.word(parts.slice(start, start + length).join(''));
      if (found === undefined) continue;
      const before = replaceWords(parts.slice(0, start).join(''), basis);
      return before + found + replaceWords(parts.slice(start + length).join(''), basis);
    }
  return text;
}

const serviceName = /^([a-z0-9][a-z0-9-]*)\/([a-z0-9][a-z0-9.-]*?)(?::([a-z0-9-]+))?$/;

/** Replaces a text that is `namespace/name` or `namespace/name:port`; `undefined` if it is neither. */
export function replaceServiceName(text: string, basis: Basis): string | undefined {
  const [, namespace, service, port] = serviceName.exec(text) ?? [];
  if (namespace === undefined || service === undefined) return undefined;
  const replaced = `${basis.name('namespace', namespace)}/${basis.name('service', service)}`;
  return port === undefined ? replaced : `${replaced}:${basis.name('port', port)}`;
}
