import { parseAddress } from '../ip/address.ts';
import { parsePrefix } from '../ip/prefix.ts';
import { type Protocol, protocolFromNumber, protocolLabel, protocols } from '../ip/protocol.ts';
import { type Match, type SetDirection } from './firewall.ts';

/** One condition of a rule of any program. */
export type SavedMatch =
  | Match
  /** A protocol that no Service can have. */
  | { readonly match: 'otherProtocol'; readonly name: string; readonly not?: true }
  | {
      readonly match: 'destinationPort';
      readonly ranges: readonly (readonly [first: number, last: number])[];
      readonly not?: true;
    }
  | {
      readonly match: 'sourcePort';
      readonly ranges: readonly (readonly [first: number, last: number])[];
      readonly not?: true;
    }
  /** A name that ends in `+` matches every interface that begins with the rest. */
  | { readonly match: 'outputInterface'; readonly name: string; readonly not?: true }
  /** Of the flags in `mask` a packet has those in `set`, and no others. */
  | {
      readonly match: 'tcpFlags';
      readonly mask: readonly string[];
      readonly set: readonly string[];
      readonly not?: true;
    }
  /** Not parsed. */
  | { readonly match: 'unknown'; readonly text: string };

/** The words of a rule, unquoted. */
export type Words = readonly string[];

/** An option of a rule with its values: `! -s 10.0.0.0/8`. */
interface Option {
  readonly name: string;
  readonly values: Words;
  readonly not?: true;
}

/** Parses the conditions of a rule as `iptables-save` prints them. Unknown ones are kept as text. */
export function savedMatches(words: Words): readonly SavedMatch[] {
  const matches: SavedMatch[] = [];
  let module: string | undefined;
  let ofModule: Option[] = [];
  const end = () => {
    if (module !== undefined) matches.push(...moduleMatches(module, ofModule));
    ofModule = [];
  };
  for (const option of optionsOf(words)) {
    if (option.name === '-m') {
      end();
      module = option.values[0];
    } else if (option.name.startsWith('--') && module !== undefined) ofModule.push(option);
    else matches.push(basicMatch(option) ?? unknown([option]));
  }
  end();
  return matches;
}

function optionsOf(words: Words): readonly Option[] {
  const options: { name: string; values: string[]; not?: true }[] = [];
  let not: { not?: true } = {};
  for (const word of words) {
    const last = options.at(-1);
    if (last?.name === '--comment' && last.values.length === 0) last.values.push(word);
    else if (word === '!') not = { not: true };
    else if (word.startsWith('-') || last === undefined) {
      options.push({ name: word, values: [], ...not });
      not = {};
    } else last.values.push(word);
  }
  return options;
}

/** Parses the options that need no `-m`. */
function basicMatch({ name, values, not }: Option): SavedMatch | undefined {
  const [value = '', ...more] = values;
  const negation = not ? { not } : {};
  if (more.length > 0) return undefined;
  if (name === '-i') return { match: 'inputInterface', name: value, ...negation };
  if (name === '-o') return { match: 'outputInterface', name: value, ...negation };
  if (name === '-p') return protocolMatch(value, negation);
  const network = parsePrefix(
    value.includes('/') ? value : `${value}/${value.includes(':') ? 128 : 32}`,
  );
  if (network === undefined) return undefined;
  if (name === '-s') return { match: 'source', network, ...negation };
  if (name === '-d') return { match: 'destination', network, ...negation };
  return undefined;
}

function protocolMatch(name: string, negation: { not?: true }): SavedMatch | undefined {
  const protocol = protocolNamed(name);
  if (protocol === undefined) return { match: 'otherProtocol', name, ...negation };
  return negation.not ? undefined : { match: 'protocol', protocol };
}

function protocolNamed(name: string): Protocol | undefined {
  return protocolFromNumber(Number(name)) ?? protocols.find((each) => protocolLabel(each) === name);
}

function moduleMatches(module: string, options: readonly Option[]): readonly SavedMatch[] {
  const read = modules[module];
  const matches = read?.(options);
  return matches ?? [unknown(options, module)];
}

/** The parsers of the options of each module; `undefined` for options that are not understood entirely. */
const modules: Readonly<
  Record<string, (options: readonly Option[]) => readonly SavedMatch[] | undefined>
> = {
  comment: ([comment]) => [{ match: 'comment', text: comment?.values[0] ?? '' }],
  set: (options) => single(options, '--match-set', setMatch),
  mark: (options) => single(options, '--mark', markMatch),
  conntrack: (options) => single(options, '--ctstate', stateMatch),
  state: (options) => single(options, '--state', stateMatch),
  addrtype: (options) => every(options, addressTypeMatch),
  physdev: (options) =>
    single(options, '--physdev-is-in', ({ not }) => ({
      match: 'physicalInput',
      ...(not && { not }),
    })),
  ipvs: ipvsMatch,
  tcp: (options) => every(options, protocolOption),
  udp: (options) => every(options, protocolOption),
  sctp: (options) => every(options, protocolOption),
  multiport: (options) => single(options, '--dports', portMatch),
};

/** Parses a module with one option at most. */
function single(
  options: readonly Option[],
  name: string,
  read: (option: Option) => SavedMatch | undefined,
): readonly SavedMatch[] | undefined {
  const [option, ...more] = options;
  if (option === undefined) return [];
  return option.name === name && more.length === 0 ? every([option], read) : undefined;
}

function every(
  options: readonly Option[],
  read: (option: Option) => SavedMatch | undefined,
): readonly SavedMatch[] | undefined {
  const matches = options.map(read);
  return matches.every((match) => match !== undefined) ? matches : undefined;
}

function setMatch({
  values: [set = '', directions = '', ...more],
  not,
}: Option): SavedMatch | undefined {
  const parts = directions.split(',');
  const isDirection = (part: string): part is SetDirection => part === 'src' || part === 'dst';
  if (more.length > 0 || not || !parts.every(isDirection)) return undefined;
  return { match: 'set', set, directions: parts };
}

function markMatch({ values: [text = ''], not }: Option): SavedMatch | undefined {
  const [value = Number.NaN, mask = 0xffff_ffff] = text.split('/').map(Number);
  if (!Number.isInteger(value) || !Number.isInteger(mask)) return undefined;
  return { match: 'mark', value, mask, ...(not && { not }) };
}

const states = ['NEW', 'RELATED', 'ESTABLISHED', 'INVALID', 'UNTRACKED'] as const;

function stateMatch({ values: [text = ''], not }: Option): SavedMatch | undefined {
  const named = text.split(',').map((name) => states.find((state) => state === name));
  if (not || !named.every((state) => state !== undefined)) return undefined;
  return { match: 'connectionState', states: named };
}

function addressTypeMatch({ name, values: [type], not }: Option): SavedMatch | undefined {
  if (type !== 'LOCAL') return undefined;
  if (name === '--src-type') return { match: 'sourceType', type, ...(not && { not }) };
  if (name === '--dst-type') return { match: 'destinationType', type, ...(not && { not }) };
  return undefined;
}

function ipvsMatch(options: readonly Option[]): readonly SavedMatch[] | undefined {
  const known = ['--vproto', '--vaddr', '--vport', '--vdir'];
  if (options.some(({ name, not }) => not || !known.includes(name))) return undefined;
  const valueOf = (wanted: string) => options.find(({ name }) => name === wanted)?.values[0];
  const address = parseAddress((valueOf('--vaddr') ?? '').replace(/\/(32|128)$/, ''));
  const protocol = protocolNamed(valueOf('--vproto') ?? '');
  const port = Number(valueOf('--vport'));
  const direction = valueOf('--vdir');
  if (address === undefined || protocol === undefined || !Number.isInteger(port)) return undefined;
  if (direction === undefined) return [{ match: 'ipvs', address, protocol, port }];
  return direction === 'ORIGINAL'
    ? [{ match: 'ipvs', address, protocol, port, direction }]
    : undefined;
}

/** An option of `-m tcp`, `udp` or `sctp`. */
function protocolOption(option: Option): SavedMatch | undefined {
  const { name, values, not } = option;
  if (name === '--dport') return portMatch(option);
  if (name === '--sport') {
    const ports = portMatch(option);
    return ports?.match === 'destinationPort' ? { ...ports, match: 'sourcePort' } : undefined;
  }
  const [mask, set, ...more] = values;
  if (name !== '--tcp-flags' || mask === undefined || set === undefined || more.length > 0)
    return undefined;
  return {
    match: 'tcpFlags',
    mask: mask.split(','),
    set: set === 'NONE' ? [] : set.split(','),
    ...(not && { not }),
  };
}

function portMatch({ values: [text = ''], not }: Option): SavedMatch | undefined {
  const ranges = text.split(',').map((range) => {
    const [first = Number.NaN, last = first] = range.split(':').map(Number);
    return [first, last] as const;
  });
  if (ranges.flat().some((port) => !Number.isInteger(port))) return undefined;
  return { match: 'destinationPort', ranges, ...(not && { not }) };
}

function unknown(options: readonly Option[], module?: string): SavedMatch {
  const words = options.flatMap(({ name, values, not }) => [
    ...(not ? ['!'] : []),
    name,
    ...values,
  ]);
  return {
    match: 'unknown',
    text: [...(module === undefined ? [] : ['-m', module]), ...words].join(' '),
  };
}
