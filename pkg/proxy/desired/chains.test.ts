import { describe, expect, test } from 'vitest';
import { jumpText, ruleText } from '../../firewall/render.ts';
import { savedRule } from '../../firewall/saved.ts';
import { type Family, parseAddress } from '../../ip/address.ts';
import { parsePrefix } from '../../ip/prefix.ts';
import type { ChainOptions, LocalDetector } from './chain-options.ts';
import { rules } from './chains.ts';
import { type SetId, setIds } from './sets.ts';

const bare: ChainOptions = {
  nonEmpty: new Set<SetId>(),
  masqueradeMark: 0x4000,
  masqueradeAll: false,
  localDetector: undefined,
  randomFully: true,
};

function cidr(text: string): LocalDetector {
  const network = parsePrefix(text);
  if (network === undefined) throw new Error(text);
  return { kind: 'cidr', network };
}

/** The texts of every chain of a table, a line each. */
function written(
  family: Family,
  table: 'nat' | 'filter',
  options: Partial<ChainOptions>,
): string[] {
  return rules(family, { ...bare, ...options })
    .chains.filter((chain) => chain.table === table)
    .flatMap((chain) => chain.rules.map((rule) => ruleText(chain.name, rule)));
}

const everything = new Set(setIds);

const lines = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => line.trim());

describe('the nat table with every set in use', () => {
  const nat = lines(`
    KUBE-SERVICES -s 127.0.0.0/8 -j RETURN
    KUBE-SERVICES -m set --match-set KUBE-IPVS-NO-LOCAL dst,dst -j KUBE-MARK-MASQ
    KUBE-SERVICES -m comment --comment "Kubernetes service lb portal" -m set --match-set KUBE-LOAD-BALANCER dst,dst -j KUBE-LOAD-BALANCER
    KUBE-SERVICES -m comment --comment "Kubernetes service cluster ip + port for masquerade purpose" -m set --match-set KUBE-CLUSTER-IP dst,dst ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ
    KUBE-SERVICES -m comment --comment "Kubernetes service external ip + port for masquerade and filter purpose" -m set --match-set KUBE-EXTERNAL-IP dst,dst -j KUBE-MARK-MASQ
    KUBE-SERVICES -m comment --comment "Kubernetes service external ip + port for masquerade and filter purpose" -m set --match-set KUBE-EXTERNAL-IP dst,dst -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT
    KUBE-SERVICES -m comment --comment "Kubernetes service external ip + port for masquerade and filter purpose" -m set --match-set KUBE-EXTERNAL-IP dst,dst -m addrtype --dst-type LOCAL -j ACCEPT
    KUBE-SERVICES -m comment --comment "Kubernetes service external ip + port with externalTrafficPolicy=local" -m set --match-set KUBE-EXTERNAL-IP-LOCAL dst,dst -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT
    KUBE-SERVICES -m comment --comment "Kubernetes service external ip + port with externalTrafficPolicy=local" -m set --match-set KUBE-EXTERNAL-IP-LOCAL dst,dst -m addrtype --dst-type LOCAL -j ACCEPT
    KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT
    KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
    KUBE-SERVICES -m set --match-set KUBE-LOAD-BALANCER dst,dst -j ACCEPT
    KUBE-POSTROUTING -m comment --comment "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose" -m set --match-set KUBE-LOOP-BACK dst,dst,src -j MASQUERADE
    KUBE-POSTROUTING -m mark ! --mark 0x00004000/0x00004000 -j RETURN
    KUBE-POSTROUTING -j MARK --xor-mark 0x00004000
    KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
    KUBE-NODE-PORT -p tcp -m comment --comment "Kubernetes nodeport TCP port with externalTrafficPolicy=local" -m set --match-set KUBE-NODE-PORT-LOCAL-TCP dst -j RETURN
    KUBE-NODE-PORT -p tcp -m comment --comment "Kubernetes nodeport TCP port for masquerade purpose" -m set --match-set KUBE-NODE-PORT-TCP dst -j KUBE-MARK-MASQ
    KUBE-NODE-PORT -p udp -m comment --comment "Kubernetes nodeport UDP port with externalTrafficPolicy=local" -m set --match-set KUBE-NODE-PORT-LOCAL-UDP dst -j RETURN
    KUBE-NODE-PORT -p udp -m comment --comment "Kubernetes nodeport UDP port for masquerade purpose" -m set --match-set KUBE-NODE-PORT-UDP dst -j KUBE-MARK-MASQ
    KUBE-NODE-PORT -p sctp -m comment --comment "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'" -m set --match-set KUBE-NODE-PORT-LOCAL-SCTP-HASH dst,dst -j RETURN
    KUBE-NODE-PORT -p sctp -m comment --comment "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'" -m set --match-set KUBE-NODE-PORT-SCTP-HASH dst,dst -j KUBE-MARK-MASQ
    KUBE-LOAD-BALANCER -m comment --comment "Kubernetes service load balancer ip + port with externalTrafficPolicy=local" -m set --match-set KUBE-LOAD-BALANCER-LOCAL dst,dst -j RETURN
    KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ
    KUBE-MARK-MASQ -j MARK --or-mark 0x00004000`);
  const options = { nonEmpty: everything, localDetector: cidr('10.0.0.0/8') };

  test('for IPv4', () => {
    expect(written('IPv4', 'nat', options)).toEqual(nat);
  });

  test('for IPv6: the other sets, and ::1', () => {
    const expected = nat.map((line) =>
      line
        .replace(
          /--match-set KUBE-([\w-]+)/,
          (_, rest) => `--match-set ${`KUBE-6-${rest}`.slice(0, 31)}`,
        )
        .replace('127.0.0.0/8', '::1/128')
        .replace('10.0.0.0/8', 'fd00:10::/32'),
    );
    const localDetector = cidr('fd00:10::/32');
    expect(written('IPv6', 'nat', { ...options, localDetector })).toEqual(expected);
  });
});

test('the filter table with every set in use', () => {
  const podDetector = cidr('10.0.0.0/8');
  expect(written('IPv4', 'filter', { nonEmpty: everything, podDetector })).toEqual(
    lines(`
    KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x00004000/0x00004000 -j ACCEPT
    KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    KUBE-NODE-PORT -m comment --comment "Kubernetes health check node port" -m set --match-set KUBE-HEALTH-CHECK-NODE-PORT dst -j ACCEPT
    KUBE-PROXY-FIREWALL -m set --match-set KUBE-IPVS-NO-LOCAL dst,dst -m conntrack --ctstate NEW ! -s 10.0.0.0/8 -m addrtype ! --src-type LOCAL -j DROP
    KUBE-PROXY-FIREWALL -m comment --comment "Kubernetes service load balancer ip + port for load balancer with sourceRange" -m set --match-set KUBE-LOAD-BALANCER-FW dst,dst -j KUBE-SOURCE-RANGES-FIREWALL
    KUBE-SOURCE-RANGES-FIREWALL -m comment --comment "Kubernetes service load balancer ip + port + source cidr for packet filter purpose" -m set --match-set KUBE-LOAD-BALANCER-SOURCE-CIDR dst,dst,src -j RETURN
    KUBE-SOURCE-RANGES-FIREWALL -m comment --comment "Kubernetes service load balancer ip + port + source IP for packet filter purpose" -m set --match-set KUBE-LOAD-BALANCER-SOURCE-IP dst,dst,src -j RETURN
    KUBE-SOURCE-RANGES-FIREWALL -j DROP
    KUBE-IPVS-FILTER -m set --match-set KUBE-LOAD-BALANCER dst,dst -j RETURN
    KUBE-IPVS-FILTER -m set --match-set KUBE-CLUSTER-IP dst,dst -j RETURN
    KUBE-IPVS-FILTER -m set --match-set KUBE-EXTERNAL-IP dst,dst -j RETURN
    KUBE-IPVS-FILTER -m set --match-set KUBE-EXTERNAL-IP-LOCAL dst,dst -j RETURN
    KUBE-IPVS-FILTER -m set --match-set KUBE-HEALTH-CHECK-NODE-PORT dst -j RETURN
    KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set --match-set KUBE-IPVS-IPS dst -j REJECT`),
  );
});

test.each<[string, LocalDetector | undefined, readonly string[]]>([
  ['an interface', { kind: 'interface', name: 'cali+' }, ['! -i cali+']],
  ['nothing: then nobody can be told from strangers', undefined, []],
])('strangers are told by %s', (_, podDetector, told) => {
  const nonEmpty = new Set<SetId>(['noLocal']);
  const rulesOf = (table: 'nat' | 'filter') =>
    written('IPv6', table, { nonEmpty, podDetector }).filter((line) => line.includes('NO-LOCAL'));
  const set = '-m set --match-set KUBE-6-IPVS-NO-LOCAL dst,dst';
  const drops = told.map(
    (match) =>
      `KUBE-PROXY-FIREWALL ${set} -m conntrack --ctstate NEW ${match} -m addrtype ! --src-type LOCAL -j DROP`,
  );
  expect(rulesOf('filter')).toEqual(drops);
  // What comes from outside is not marked: if it is let through after all, a local endpoint answers.
  const unmarked = told.map(
    (match) => `KUBE-SERVICES ${set} ${match} -m addrtype ! --src-type LOCAL -j RETURN`,
  );
  expect(rulesOf('nat')).toEqual([...unmarked, `KUBE-SERVICES ${set} -j KUBE-MARK-MASQ`]);
});

const clusterIp = { nonEmpty: new Set<SetId>(['clusterIp']) };

test.each<[string, Partial<ChainOptions>, string]>([
  [
    'a cluster CIDR marks what comes from elsewhere',
    { localDetector: cidr('10.0.0.0/8') },
    'dst,dst ! -s 10.0.0.0/8',
  ],
  [
    'a bridge marks what did not come in by it',
    { localDetector: { kind: 'interface', name: 'cbr0' } },
    'dst,dst ! -i cbr0',
  ],
  [
    'a prefix stands for all its interfaces',
    { localDetector: { kind: 'interface', name: 'cali+' } },
    'dst,dst ! -i cali+',
  ],
  ['no detector marks what comes from a VIP', {}, 'src,dst'],
  ['masquerade-all wins', { masqueradeAll: true, localDetector: cidr('10.0.0.0/8') }, 'dst,dst'],
])('cluster IP masquerading: %s', (_, options, rest) => {
  const marked = written('IPv4', 'nat', { ...clusterIp, ...options }).filter((line) =>
    line.includes('cluster ip + port'),
  );
  expect(marked).toEqual([
    `KUBE-SERVICES -m comment --comment "Kubernetes service cluster ip + port for masquerade purpose" -m set --match-set KUBE-CLUSTER-IP ${rest} -j KUBE-MARK-MASQ`,
  ]);
});

test.each<[string, SetId[], string[]]>([
  ['no services', [], ['RETURN', 'KUBE-NODE-PORT']],
  ['cluster IPs', ['clusterIp'], ['RETURN', 'KUBE-MARK-MASQ', 'KUBE-NODE-PORT', 'ACCEPT']],
  [
    'load balancers too',
    ['clusterIp', 'loadBalancer'],
    ['RETURN', 'KUBE-LOAD-BALANCER', 'KUBE-MARK-MASQ', 'KUBE-NODE-PORT', 'ACCEPT', 'ACCEPT'],
  ],
])('KUBE-SERVICES with %s', (_, nonEmpty, targets) => {
  const services = written('IPv4', 'nat', { nonEmpty: new Set(nonEmpty) });
  const found = services.filter((line) => line.startsWith('KUBE-SERVICES '));
  expect(found.map((line) => line.split(' -j ')[1])).toEqual(targets);
});

test.each(setIds)('the rules of %s are written while it has entries, and only then', (id) => {
  const natRules = (nonEmpty: readonly SetId[]) =>
    written('IPv4', 'nat', { nonEmpty: new Set(nonEmpty) }).length;
  const others = setIds.filter((other) => other !== id);
  expect(natRules([id]) - natRules([])).toBe(natRules(setIds) - natRules(others));
});

test('the access filter and the masquerading stand without any entries', () => {
  expect(written('IPv4', 'nat', {})).toHaveLength(7);
  expect(written('IPv4', 'filter', {})).toHaveLength(10);
});

test('an iptables that cannot is not asked for --random-fully', () => {
  const text = written('IPv4', 'nat', { randomFully: false }).join('\n');
  expect(text).toContain('requiring SNAT" -j MASQUERADE\n');
  expect(text).not.toContain('--random-fully');
});

test('the mark is the one asked for', () => {
  const all = written('IPv6', 'nat', { masqueradeMark: 0x8000_0000 });
  expect(all.at(-1)).toBe('KUBE-MARK-MASQ -j MARK --or-mark 0x80000000');
});

test('a load balancer whose source ranges leave the node out is closed to its own processes', () => {
  const address = parseAddress('203.0.113.9');
  if (address === undefined) throw new Error('203.0.113.9');
  const rejectedLoadBalancers = [{ address, protocol: 'TCP', port: 80 }] as const;
  const text = written('IPv4', 'filter', { rejectedLoadBalancers }).at(-1);
  expect(text).toBe(
    'KUBE-IPVS-OUT-FILTER -m addrtype --src-type LOCAL -m ipvs --vaddr 203.0.113.9 --vproto tcp --vport 80 --vdir ORIGINAL -j DROP',
  );
});

test('chains are declared and jumps inserted in the order of the original', () => {
  const { chains, jumps } = rules('IPv6', bare);
  expect(chains.map(({ table, name }) => `${table} ${name}`)).toEqual([
    'nat KUBE-SERVICES',
    'nat KUBE-POSTROUTING',
    'nat KUBE-NODE-PORT',
    'nat KUBE-LOAD-BALANCER',
    'nat KUBE-MARK-MASQ',
    'filter KUBE-FORWARD',
    'filter KUBE-NODE-PORT',
    'filter KUBE-PROXY-FIREWALL',
    'filter KUBE-SOURCE-RANGES-FIREWALL',
    'filter KUBE-IPVS-FILTER',
    'filter KUBE-IPVS-OUT-FILTER',
  ]);
  expect(jumps.map((jump) => `${jump.table} ${jumpText(jump)}`)).toEqual([
    'nat OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
    'nat PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
    'nat POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
    'filter FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD',
    'filter INPUT -m comment --comment "kubernetes health check rules" -j KUBE-NODE-PORT',
    'filter INPUT -m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL',
    'filter FORWARD -m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL',
    'filter INPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-FILTER',
    'filter OUTPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-OUT-FILTER',
  ]);
});

describe("what iptables-save prints of upstream's rules, but for what came after v1.28", () => {
  const saved = (family: Family, options: Partial<ChainOptions>) =>
    rules(family, { ...bare, ...options }).chains.flatMap(({ name, rules: own }) =>
      own.map((rule) => savedRule(name, rule, family)),
    );
  /** A ClusterIP and TCP NodePort Service with an endpoint on this node. */
  const nonEmpty = new Set<SetId>(['clusterIp', 'loopBack', 'nodePortTcp']);

  test.each<[Family, string, string, string, string]>([
    ['IPv4', '10.0.0.0/8', 'KUBE-', '127.0.0.0/8', 'icmp'],
    ['IPv6', 'fd00:10::/32', 'KUBE-6-', '::1/128', 'icmp6'],
  ])('%s', (family, network, set, loopback, icmp) => {
    const expected = lines(`
      -A KUBE-SERVICES -s ${loopback} -j RETURN
      -A KUBE-SERVICES ! -s ${network} -m comment --comment "Kubernetes service cluster ip + port for masquerade purpose" -m set --match-set ${set}CLUSTER-IP dst,dst -j KUBE-MARK-MASQ
      -A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT
      -A KUBE-SERVICES -m set --match-set ${set}CLUSTER-IP dst,dst -j ACCEPT
      -A KUBE-POSTROUTING -m comment --comment "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose" -m set --match-set ${set}LOOP-BACK dst,dst,src -j MASQUERADE
      -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
      -A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
      -A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
      -A KUBE-NODE-PORT -p tcp -m comment --comment "Kubernetes nodeport TCP port for masquerade purpose" -m set --match-set ${set}NODE-PORT-TCP dst -j KUBE-MARK-MASQ
      -A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ
      -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
      -A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
      -A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
      -A KUBE-NODE-PORT -m comment --comment "Kubernetes health check node port" -m set --match-set ${set}HEALTH-CHECK-NODE-PORT dst -j ACCEPT
      -A KUBE-SOURCE-RANGES-FIREWALL -j DROP
      -A KUBE-IPVS-FILTER -m set --match-set ${set}LOAD-BALANCER dst,dst -j RETURN
      -A KUBE-IPVS-FILTER -m set --match-set ${set}CLUSTER-IP dst,dst -j RETURN
      -A KUBE-IPVS-FILTER -m set --match-set ${set}EXTERNAL-IP dst,dst -j RETURN
      -A KUBE-IPVS-FILTER -m set --match-set ${set}HEALTH-CHECK-NODE-PORT dst -j RETURN
      -A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set --match-set ${set}IPVS-IPS dst -j REJECT --reject-with ${icmp}-port-unreachable`);
    const found = saved(family, { nonEmpty, localDetector: cidr(network) });
    expect(found.filter((line) => !line.includes('EXTERNAL-IP-LOCAL'))).toEqual(expected);
  });
});
