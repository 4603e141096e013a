import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Flow, isUntranslated, reversed, type Tuple } from '../../pkg/conntrack/conntrack.ts';
import { NetlinkConntrack } from '../../pkg/conntrack/netlink.ts';
import { tuple } from '../../pkg/conntrack/schema.ts';
import { protocolLabel } from '../../pkg/ip/protocol.ts';
import { AF_INET } from '../../pkg/netlink/addresses.ts';
import { type Connection, openConnection } from '../../pkg/netlink/connection.ts';
import { NLM_F_CREATE } from '../../pkg/netlink/message.ts';
import {
  NETLINK_NETFILTER,
  NFNL_SUBSYS_CTNETLINK,
  netfilterCommand,
} from '../../pkg/netlink/netfilter.ts';
import type { TraceEvent } from '../../pkg/netlink/trace.ts';
import { attributes, required } from '../../pkg/wire/attributes.ts';
import { u32be } from '../../pkg/wire/codec.ts';
import {
  conntrackContract,
  plainFlow,
  translatedFlow,
  type WantedFlow,
} from '../contract/conntrack.ts';
import { ip } from '../support/addresses.ts';
import { createNamespace, type Namespace } from '../support/namespace.ts';

let node: Namespace;
let connection: Connection;
let conntrack: NetlinkConntrack;
let trace: TraceEvent[];

beforeAll(() => {
  node = createNamespace();
  connection = openConnection(NETLINK_NETFILTER, {
    netns: node.path,
    trace: (event) => trace.push(event),
  });
  conntrack = new NetlinkConntrack(connection);
  trace = [];
});

afterAll(() => {
  connection.close();
  node.remove();
});

/** The tool's arguments for a flow. */
function flowArguments({ protocol, original, reply, zone, mark, tcpState }: WantedFlow): string[] {
  const pairs: [string, string | number][] = [
    ['-p', protocolLabel(protocol)],
    ['-s', original.source],
    ['-d', original.destination],
    ['--sport', original.sourcePort],
    ['--dport', original.destinationPort],
    ['-r', reply.source],
    ['-q', reply.destination],
    ['--reply-port-src', reply.sourcePort],
    ['--reply-port-dst', reply.destinationPort],
    ['-t', 300],
  ];
  if (mark !== 0) pairs.push(['-m', mark]);
  if (zone !== 0) pairs.push(['-w', zone]);
  if (tcpState !== undefined) pairs.push(['--state', tcpState]);
  if (protocol === 'SCTP')
    pairs.push(['--state', 'ESTABLISHED'], ['--orig-vtag', 1], ['--reply-vtag', 2]);
  return pairs.flat().map(String);
}

function insert(...flows: readonly WantedFlow[]): void {
  for (const flow of flows) node.run('conntrack', '-I', ...flowArguments(flow));
}

const insertFlow = netfilterCommand({
  name: 'IPCTNL_MSG_CT_NEW',
  subsystem: NFNL_SUBSYS_CTNETLINK,
  command: 0,
  flags: NLM_F_CREATE,
  request: attributes('CTA', {
    original: required(1, tuple), // TUPLE_ORIG
    reply: required(2, tuple), // TUPLE_REPLY
    timeout: required(7, u32be), // TIMEOUT
  }),
  reply: attributes('CTA', {}),
});

/** One process a flow would take minutes. */
function insertMany(flows: readonly WantedFlow[]): void {
  const toTuple = ({ source, destination, sourcePort, destinationPort }: Tuple) => ({
    ip: { v4Source: source, v4Destination: destination },
    transport: { protocol: 17, sourcePort, destinationPort },
  });
  const failures = connection.batch(flows, {
    put({ original, reply }, sink) {
      const body = { original: toTuple(original), reply: toTuple(reply), timeout: 300 };
      sink.put(insertFlow, { family: AF_INET, body });
    },
    describe: () => 'insert a flow',
  });
  expect(failures).toEqual([]);
}

/** A datagram from the pod to the Service, always from the same port. */
function send(): void {
  const program = `
    const socket = require('node:dgram').createSocket('udp4');
    socket.bind(1024, '10.0.0.7', () => socket.send('?', 53, '172.30.0.1', () => socket.close()));`;
  node.run(process.execPath, '-e', program);
}

/** The table as the tool sees it. */
function listed(family: 'ipv4' | 'ipv6' = 'ipv4'): readonly string[] {
  const lines = node.run('conntrack', '-L', '-f', family).trim().split('\n');
  return lines.filter((line) => line !== '').sort();
}

function clear(): void {
  node.run('conntrack', '-F');
  trace = [];
}

async function flowsOf(filter: Parameters<NetlinkConntrack['dump']>[0]): Promise<Flow[]> {
  const flows: Flow[] = [];
  await conntrack.dump(filter, (flow) => flows.push(flow));
  return flows;
}

describe('the kernel keeps the contract', () => {
  conntrackContract(() => ({ conntrack, insert, dispose: clear }));
});

describe('beside the conntrack tool', () => {
  afterEach(clear);

  test('what is deleted is gone for the tool, and nothing else', async () => {
    insert(plainFlow({ sourcePort: 1 }), translatedFlow('10.0.0.8', { sourcePort: 2 }));
    insert(plainFlow({ isIPv6: true, sourcePort: 3 }));
    expect(listed()).toHaveLength(2);
    expect(conntrack.delete((await flowsOf({ family: 'IPv4' })).filter(isUntranslated))).toBe(1);
    expect(listed()).toEqual([expect.stringContaining('sport=2 ')]);
    expect(listed('ipv6')).toHaveLength(1);
    expect(conntrack.delete(await flowsOf({ family: 'IPv6' }))).toBe(1);
    expect(listed('ipv6')).toEqual([]);
  });

  test('the id is the one that the tool prints', async () => {
    insert(plainFlow());
    const [flow] = await flowsOf({ family: 'IPv4' });
    expect(node.run('conntrack', '-L', '-o', 'id')).toContain(` id=${flow?.id}`);
  });

  test('flows without ports are left out', async () => {
    node.run(
      'conntrack',
      '-I',
      '-p',
      'icmp',
      '-s',
      '10.0.0.7',
      '-d',
      '10.0.0.8',
      '--icmp-type',
      '8',
      '--icmp-code',
      '0',
      '-t',
      '300',
    );
    insert(plainFlow());
    expect(listed()).toHaveLength(2);
    expect((await flowsOf({ family: 'IPv4' })).map(({ protocol }) => protocol)).toEqual(['UDP']);
  });

  test('the kernel itself leaves other protocols and families out', async () => {
    insert(
      plainFlow(),
      plainFlow({ protocol: 'TCP', tcpState: 'ESTABLISHED' }),
      plainFlow({ isIPv6: true }),
    );
    await flowsOf({ family: 'IPv4', protocol: 'TCP' });
    expect(trace.filter(({ kind }) => kind === 'reply')).toHaveLength(1);
  });

  test('the kernel itself leaves other IPv4 addresses out', async () => {
    const { original } = plainFlow();
    const other = { ...original, source: ip('10.0.0.9') };
    insert(plainFlow(), plainFlow({ original: other, reply: reversed(other) }));
    await flowsOf({ family: 'IPv4', source: other.source, destination: other.destination });
    expect(trace.filter(({ kind }) => kind === 'reply')).toHaveLength(1);
  });

  test('a zone of the original direction alone is found', async () => {
    insert(plainFlow());
    node.run('conntrack', '-I', ...flowArguments(plainFlow({ sourcePort: 7 })), '--orig-zone', '9');
    const flow = (await flowsOf({ family: 'IPv4' })).find(
      ({ original }) => original.sourcePort === 7,
    );
    expect(flow?.zone).toBe(9);
    expect(conntrack.delete(flow === undefined ? [] : [flow])).toBe(1);
    expect(listed()).toEqual([expect.stringContaining('sport=1024 ')]);
  });

  test('a zone of the replies alone is found', async () => {
    node.run('conntrack', '-I', ...flowArguments(plainFlow()), '--reply-zone', '9');
    expect(conntrack.delete(await flowsOf({ family: 'IPv4' }))).toBe(1);
    expect(listed()).toEqual([]);
  });

  test('a dump of many flows lets the event loop turn', async () => {
    const wanted = Array.from({ length: 20_000 }, (_, index) =>
      plainFlow({ sourcePort: index + 1 }),
    );
    insertMany(wanted);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const flows = await flowsOf({ family: 'IPv4' });
    clearInterval(timer);
    expect(flows).toHaveLength(wanted.length);
    expect(turns).toBeGreaterThan(2);
    expect(conntrack.delete(flows)).toBe(wanted.length);
    expect(listed()).toEqual([]);
  });

  test('a packet that came before the rule that translates it holds its flow until that is deleted', async () => {
    node.run('ip', 'address', 'add', '10.0.0.7/32', 'dev', 'lo');
    node.run('ip', 'route', 'add', 'local', '172.30.0.0/16', 'dev', 'lo', 'table', 'local');
    const toService = ['OUTPUT', '-p', 'udp', '-d', '172.30.0.1', '--dport', '53'];
    // The kernel tracks connections only where a rule asks for it.
    node.run('iptables', '-A', 'INPUT', '-m', 'conntrack', '--ctstate', 'NEW', '-j', 'ACCEPT');
    send();
    node.run('iptables', '-t', 'nat', '-I', ...toService, '-j', 'DNAT', '--to', '10.0.0.7:5353');
    send();
    const [early, ...others] = await flowsOf({ family: 'IPv4', protocol: 'UDP' });
    expect(others).toEqual([]);
    expect(early).toMatchObject(plainFlow());
    expect(conntrack.delete(early === undefined ? [] : [early])).toBe(1);
    send();
    expect(await flowsOf({ family: 'IPv4', protocol: 'UDP' })).toMatchObject([
      translatedFlow('10.0.0.7'),
    ]);
  });
});
