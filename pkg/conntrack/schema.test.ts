import { describe, expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { capturedMessages, requestDifferences } from '../../test/support/fixture.ts';
import { RecordingConnection } from '../../test/support/recording-connection.ts';
import { decode } from '../wire/codec.ts';
import type { Flow } from './conntrack.ts';
import { NetlinkConntrack } from './netlink.ts';
import { commands } from './schema.ts';

// Compares with what `conntrack` sent and received when it did the same: test/fixtures/conntrack.sh.

const messages = capturedMessages('conntrack');

const tcp = {
  protocol: 'TCP',
  original: {
    source: ip('10.0.0.7'),
    sourcePort: 1024,
    destination: ip('172.30.0.1'),
    destinationPort: 443,
  },
  tcpState: 'ESTABLISHED',
} as const;
const udp = {
  protocol: 'UDP',
  original: {
    source: ip('fd00:10::7'),
    sourcePort: 1024,
    destination: ip('fd00:172:30::a'),
    destinationPort: 53,
  },
} as const;

/** A flow as it is deleted: by its original tuple and its id. */
function flow(known: Pick<Flow, 'protocol' | 'original'>, over: Partial<Flow> = {}): Flow {
  const unused = { reply: known.original, zone: 0, mark: 0, status: 0, tcpState: undefined };
  return { ...known, ...unused, id: 1234, ...over };
}

const inZone = { ...tcp, original: { ...tcp.original, source: ip('10.0.0.8') } };

/** The tool sends the whole flow; the kernel uses only the original tuple, the zone and the id. */
const wholeFlow = ['.2', '.24', '.3', '.7', '.8'].map((attribute) => `theirs ${attribute}`);
const wholeTcpFlow = [...wholeFlow, 'theirs .4'].toSorted();

type Row = readonly [string, number, (conntrack: NetlinkConntrack) => unknown, readonly string[]];

const rows: readonly Row[] = [
  [
    'IPCTNL_MSG_CT_NEW',
    0,
    (conntrack) => conntrack.add([tcp], { seconds: 9 }),
    // Flags of both directions: window tracking is not told to be liberal.
    ['theirs .state.tcp.4', 'theirs .state.tcp.5'],
  ],
  [
    'IPCTNL_MSG_CT_GET',
    0,
    (conntrack) => conntrack.dump({ family: 'IPv4', protocol: 'TCP' }, () => undefined),
    // The tool reads everything and filters by protocol itself.
    [
      'ours .filter.original 08000000',
      'ours .filter.reply 00000000',
      'ours .original.transport.protocol 06',
    ],
  ],
  ['IPCTNL_MSG_CT_GET', 1, (conntrack) => conntrack.dump({ family: 'IPv6' }, () => undefined), []],
  [
    'IPCTNL_MSG_CT_DELETE',
    0,
    (conntrack) => conntrack.delete([flow(tcp)]),
    ['ours .id 000004d2', 'ours .zone 0000', ...wholeTcpFlow],
  ],
  [
    'IPCTNL_MSG_CT_DELETE',
    1,
    (conntrack) => conntrack.delete([flow(inZone, { zone: 7 })]),
    ['ours .id 000004d2', ...wholeTcpFlow],
  ],
  [
    'IPCTNL_MSG_CT_DELETE',
    2,
    (conntrack) => conntrack.delete([flow(udp)]),
    ['ours .id 000004d2', 'ours .zone 0000', ...wholeFlow],
  ],
];

describe('requests are those of the tool but for', () => {
  test.each(rows)('%s, captured for the %ith time', async (name, number, ask, differences) => {
    const connection = new RecordingConnection();
    await ask(new NetlinkConntrack(connection));
    expect(requestDifferences(connection.requests, { messages, name, number })).toEqual(
      differences,
    );
  });

  test('no command is left out', () => {
    const names = new Set(rows.map(([name]) => name));
    expect(names).toEqual(new Set(Object.values(commands).map(({ name }) => name)));
  });
});

test('what the kernel dumped is read as what was inserted', () => {
  // The kernel answers a get, and both dumps, with messages of the type that creates a flow.
  const replies = messages.filter(({ type, isRequest }) => !isRequest && type === 0x100);
  const flows = replies
    .slice(0, 3)
    .map(({ payload }) => decode(commands.get.reply, payload).body)
    .toSorted(
      (one, other) => (one.mark ?? 0) - (other.mark ?? 0) || (one.zone ?? 0) - (other.zone ?? 0),
    );
  const ports = { protocol: 6, sourcePort: 1024, destinationPort: 443 };
  const replyPorts = { protocol: 6, sourcePort: 443, destinationPort: 1024 };
  expect(flows).toMatchObject([
    {
      original: { ip: { v4Source: '10.0.0.7', v4Destination: '172.30.0.1' }, transport: ports },
      reply: { ip: { v4Source: '172.30.0.1', v4Destination: '10.0.0.7' }, transport: replyPorts },
      state: { tcp: { state: 3 } },
      status: 0xa,
      mark: 0,
      id: expect.any(Number),
    },
    { original: { ip: { v4Source: '10.0.0.8' } }, zone: 7, status: 0x8 },
    {
      original: {
        ip: { v6Source: 'fd00:10::7', v6Destination: 'fd00:172:30::a' },
        transport: { protocol: 17, sourcePort: 1024, destinationPort: 53 },
      },
      reply: {
        ip: { v6Source: 'fd00:10::8', v6Destination: 'fd00:10::7' },
        transport: { protocol: 17, sourcePort: 5353, destinationPort: 1024 },
      },
      mark: 0x4000,
    },
  ]);
});
