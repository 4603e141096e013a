import type { Flavour } from '../../pkg/firewall/iptables.ts';
import type { Namespace } from './namespace.ts';

// A node's state as other people's tools print it, in one text: what golden files hold.

/** What each tool printed of a namespace. */
export type PrintedState = Readonly<Record<keyof ReturnType<typeof tools>, string>>;

/** Whose rules: those of nf_tables or those of the old packet filter. */
interface StateOptions {
  readonly flavour?: Flavour;
}

/** In the order in which they are run. */
function tools({ flavour = 'nft' }: StateOptions) {
  return {
    ipvs: 'ipvsadm -Sn',
    addresses: 'ip -o addr show',
    sets: 'ipset save',
    IPv4: `iptables-${flavour}-save`,
    IPv6: `ip6tables-${flavour}-save`,
    sysctls: `sysctl -n ${sysctlNames().join(' ')}`,
  };
}

/** Between what two tools print; no line of theirs. */
const mark = '== next tool ==';

/** Runs all tools in one process, which is much faster under emulation than one process each. Throws if one of them fails. */
export function printedState(namespace: Namespace, options: StateOptions = {}): PrintedState {
  const commands = tools(options);
  const script = `set -e\n${Object.values(commands).join(`\necho '${mark}'\n`)}`;
  const printed = namespace.run('sh', '-c', script).split(`${mark}\n`);
  const names = Object.keys(commands) as (keyof typeof commands)[];
  return Object.fromEntries(names.map((name, index) => [name, printed[index] ?? ''])) as Record<
    keyof PrintedState,
    string
  >;
}

/** The whole of it: virtual servers, addresses of the dummy device, our sets, our chains and the jumps to them, sysctls. */
export function readState(namespace: Namespace, options: StateOptions = {}): string {
  const printed = printedState(namespace, options);
  return [
    ['## ipvs', ...ipvsLines(printed.ipvs)],
    ['## addresses', ...addressLines(printed.addresses)],
    ['## sets', ...setLines(printed.sets)],
    ['## iptables', ...ruleLines(printed.IPv4), ''],
    ['## ip6tables', ...ruleLines(printed.IPv6), ''],
    ['## sysctls', ...sysctlLines(printed.sysctls)],
  ]
    .flat()
    .join('\n');
}

function sysctlPaths(): readonly string[] {
  return [
    'net/ipv4/vs/conntrack',
    'net/ipv4/vs/conn_reuse_mode',
    'net/ipv4/vs/expire_nodest_conn',
    'net/ipv4/vs/expire_quiescent_template',
    'net/ipv4/ip_forward',
  ];
}

function sysctlNames(): readonly string[] {
  return sysctlPaths().map((path) => path.replaceAll('/', '.'));
}

function sysctlLines(printed: string): readonly string[] {
  const values = lines(printed);
  return sysctlPaths().map((path, index) => `${path}=${values[index]}`);
}

/** Virtual servers sorted, each followed by its real servers, sorted. */
function ipvsLines(printed: string): readonly string[] {
  return lines(printed)
    .map((line) => ({
      line,
      key: / -[tuf] (\S+)|--sctp-service (\S+)/.exec(line)?.slice(1).join('') ?? '',
    }))
    .sort((one, other) => compare(one.key, other.key) || compare(one.line, other.line))
    .map(({ line }) => line);
}

function addressLines(printed: string): readonly string[] {
  const addresses = lines(printed).filter((line) => line.split(/\s+/)[1] === 'kube-ipvs0');
  return addresses.map((line) => line.replace(/^\S+\s+\S+\s+(inet6?) (\S+) .*$/, '$1 $2')).sort();
}

/** A line for each set, without what its size makes of it, and its entries below. */
function setLines(printed: string): readonly string[] {
  const all = lines(printed).filter((line) => / KUBE-/.test(line));
  const created = all
    .filter((line) => line.startsWith('create'))
    .map((line) => {
      const [, name = '', ...header] = line.split(' ');
      const text = header
        .join(' ')
        .replace(/ hashsize \d+/, '')
        .replace(/ (bucketsize|initval) \S+/g, '');
      return { name, text: `${name} ${text}` };
    });
  const entries = (set: string) =>
    all
      .filter((line) => line.startsWith(`add ${set} `))
      .map((line) => `  ${line.split(' ')[2]}`)
      .sort();
  return created
    .sort((one, other) => compare(one.name, other.name))
    .flatMap(({ name, text }) => [text, ...entries(name)]);
}

/** Tables by name; in each our chains by name, the jumps to them in order of their built-in chain, and our rules by chain. */
function ruleLines(saved: string): readonly string[] {
  const tables = saved.split(/^(?=\*)/m).filter((part) => /^\*(filter|nat)$/m.test(part));
  return tables.sort().flatMap((table) => {
    const all = lines(table);
    const chains = all.filter(
      (line) => line.startsWith(':KUBE-') && !line.includes('CANARY') && !line.includes('HINT'),
    );
    const names = chains.map((line) => line.slice(1).split(' ')[0] ?? '').sort();
    const inChain = (chain: string) => all.filter((line) => line.startsWith(`-A ${chain} `));
    const jumps = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']
      .flatMap(inChain)
      .filter((line) => line.includes('-j KUBE-'));
    return [
      all[0] ?? '',
      ...names.map((name) => `:${name} -`),
      ...jumps,
      ...names.flatMap(inChain),
      'COMMIT',
    ];
  });
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
