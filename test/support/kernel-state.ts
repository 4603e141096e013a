import type { Namespace } from './namespace.ts';

// A node's state as other people's tools print it, in one text: what golden files hold.

/** The whole of it: virtual servers, addresses of the dummy device, our sets, our chains and the jumps to them, sysctls. */
export function readState(namespace: Namespace): string {
  return [
    ['## ipvs', ...ipvsLines(namespace)],
    ['## addresses', ...addressLines(namespace)],
    ['## sets', ...setLines(namespace)],
    ['## iptables', ...ruleLines(namespace.run('iptables-save')), ''],
    ['## ip6tables', ...ruleLines(namespace.run('ip6tables-save')), ''],
    ['## sysctls', ...sysctlLines(namespace)],
  ]
    .flat()
    .join('\n');
}

const sysctls = [
  'net/ipv4/vs/conntrack',
  'net/ipv4/vs/conn_reuse_mode',
  'net/ipv4/vs/expire_nodest_conn',
  'net/ipv4/vs/expire_quiescent_template',
  'net/ipv4/ip_forward',
];

function sysctlLines(namespace: Namespace): readonly string[] {
  const values = lines(
    namespace.run('sysctl', '-n', ...sysctls.map((path) => path.replaceAll('/', '.'))),
  );
  return sysctls.map((path, index) => `${path}=${values[index]}`);
}

/** Virtual servers sorted, each followed by its real servers, sorted. */
function ipvsLines(namespace: Namespace): readonly string[] {
  return lines(namespace.run('ipvsadm', '-Sn'))
    .map((line) => ({
      line,
      server: / -[tuf] (\S+)|--sctp-service (\S+)/.exec(line)?.slice(1).join('') ?? '',
    }))
    .sort((one, other) => compare(one.server, other.server) || compare(one.line, other.line))
    .map(({ line }) => line);
}

function addressLines(namespace: Namespace): readonly string[] {
  const addresses = lines(namespace.run('ip', '-o', 'addr', 'show', 'dev', 'kube-ipvs0'));
  return addresses.map((line) => line.replace(/^\S+\s+\S+\s+(inet6?) (\S+) .*$/, '$1 $2')).sort();
}

/** A line for each set, without what its size makes of it, and its entries below. */
function setLines(namespace: Namespace): readonly string[] {
  const all = lines(namespace.run('ipset', 'save')).filter((line) => / KUBE-/.test(line));
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
