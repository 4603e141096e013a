import type { Family } from '../../pkg/ip/address.ts';
import { parsePrefix } from '../../pkg/ip/prefix.ts';
import { protocols } from '../../pkg/ip/protocol.ts';
import type { Entry, SetHeader } from '../../pkg/ipset/ipset.ts';
import { ip } from './addresses.ts';
import { FakeKernel } from './proxier.ts';
import { linesOf } from './restore-state.ts';
import { savedVirtualServers } from './saved-state.ts';

// A kernel in memory with a state as an example of upstream has it.

/** A kernel in memory that holds everything of an example but its sysctls, on the node that the example is of. */
export function kernelOfExample(example: string): FakeKernel {
  const kernel = new FakeKernel();
  const lines = (part: string) => linesOf(example, part);
  const { links, ipvs } = kernel;
  for (const address of ['192.168.7.10', '2001:db8:7::10'])
    links.addAddress({ link: 'eth0', address: ip(address), prefixLength: 24 });
  links.ensureDummy('kube-ipvs0');
  const addresses = lines('addresses').map((line) => ip(/ (.*)\//.exec(line)?.[1] ?? ''));
  const bound = addresses.map(
    (address) => ({ kind: 'bindAddress', link: 'kube-ipvs0', address }) as const,
  );
  requireNone(links.write(bound));
  addSets(kernel, lines('sets'));
  addRules(kernel, { family: 'IPv4', lines: lines('iptables') });
  addRules(kernel, { family: 'IPv6', lines: lines('ip6tables') });
  for (const { virtualServer, realServers } of savedVirtualServers(lines('ipvs').join('\n')))
    requireNone(
      ipvs.write([
        { kind: 'addVirtualServer', virtualServer },
        ...realServers.map(
          (realServer) => ({ kind: 'addRealServer', virtualServer, realServer }) as const,
        ),
      ]),
    );
  return kernel;
}

function requireNone(failures: readonly { readonly error: Error }[]): void {
  for (const { error } of failures) throw error;
}

/** `NAME TYPE …` makes a set, and an indented line below is an entry of it. */
function addSets({ ipsets }: FakeKernel, lines: readonly string[]): void {
  let header: SetHeader | undefined;
  for (const line of lines) {
    if (!line.startsWith('  ')) {
      header = headerOf(line.split(' '));
      ipsets.create(header);
    } else if (header !== undefined) {
      const entry = entryOf(header.type, line.trim());
      requireNone(ipsets.write([{ kind: 'addEntry', set: header.name, entry }]));
    }
  }
}

const types = ['hash:ip', 'hash:ip,port', 'hash:ip,port,ip', 'hash:ip,port,net'] as const;

function headerOf([name = '', typeName = '', ...options]: readonly string[]): SetHeader {
  if (typeName === 'bitmap:port')
    return { name, type: 'bitmap:port', firstPort: 0, lastPort: 65_535 };
  const type = types.find((known) => known === typeName);
  if (type === undefined) throw new Error(`no type of sets: ${typeName}`);
  const family = options.includes('inet6') ? 'IPv6' : 'IPv4';
  return { name, type, family, hashSize: 1024, maxElements: 65_536 };
}

/** `172.30.0.1,tcp:80,10.0.0.1`. */
function entryOf(type: Entry['type'], text: string): Entry {
  if (type === 'bitmap:port') return { type, port: Number(text) };
  const [address = '', service = '', third = ''] = text.split(',');
  if (type === 'hash:ip') return { type, ip: ip(address) };
  const [name = '', port] = service.split(':');
  const protocol = protocols.find((known) => known === name.toUpperCase());
  if (protocol === undefined) throw new Error(`no protocol: ${text}`);
  const common = { ip: ip(address), protocol, port: Number(port) };
  if (type === 'hash:ip,port') return { type, ...common };
  if (type === 'hash:ip,port,ip') return { type, ...common, ip2: ip(third) };
  const bits = third.includes(':') ? 128 : 32;
  const net = parsePrefix(third.includes('/') ? third : `${third}/${bits}`);
  if (net === undefined) throw new Error(`no network: ${text}`);
  return { type, ...common, net };
}

/** Chains that have no rules exist too. */
function addRules(
  { firewall }: FakeKernel,
  { family, lines }: { family: Family; lines: readonly string[] },
): void {
  const start = (table: string) => lines.indexOf(`*${table}`);
  for (const table of ['filter', 'nat'] as const) {
    if (start(table) < 0) continue;
    const own = lines.slice(start(table), lines.indexOf('COMMIT', start(table)));
    for (const [, name = ''] of own.join('\n').matchAll(/^:(\S+)/gm)) {
      firewall.insertRule(family, { table, rule: `-A ${name} -j RETURN` });
      firewall.flushChain(family, { table, name });
    }
    for (const rule of own.filter((line) => line.startsWith('-A ')).toReversed())
      firewall.insertRule(family, { table, rule });
  }
}
