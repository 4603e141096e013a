import { describe, expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { KernelError } from '../errno/errno.ts';
import type { ValueOf } from '../wire/codec.ts';
import type { FlowFilter } from './conntrack.ts';
import { type FlowsConnection, NetlinkConntrack } from './netlink.ts';
import type { flow } from './schema.ts';

function flowData(protocol: number): ValueOf<typeof flow> {
  const transport = { protocol, sourcePort: 1024, destinationPort: 53 };
  const ip4 = { v4Source: ip('10.0.0.7'), v4Destination: ip('172.30.0.1') };
  return { original: { ip: ip4, transport }, reply: { ip: ip4, transport } };
}

/** A kernel that refuses dumps with a filter, or all dumps, and records the requests. */
function kernel(refuses: { filters?: `E${string}`; all?: `E${string}` }) {
  const asked: boolean[] = [];
  const bodies: object[] = [];
  const connection: FlowsConnection = {
    batch: () => [],
    dump: (_, value, { operation, onReply }) => {
      const { body } = value as { body: object };
      bodies.push(body);
      const isFiltered = 'filter' in body;
      asked.push(isFiltered);
      const code = refuses.all ?? (isFiltered ? refuses.filters : undefined);
      if (code !== undefined) return Promise.reject(new KernelError(operation, code));
      // An old kernel ignores the filter.
      for (const protocol of [6, 17, 1]) onReply({ family: 2, body: flowData(protocol) } as never);
      return Promise.resolve();
    },
  };
  return { conntrack: new NetlinkConntrack(connection), asked, bodies };
}

const udp = { family: 'IPv4', protocol: 'UDP' } as const;

test.each([
  [undefined, ['TCP', 'UDP']],
  ['UDP', ['UDP']],
] as const)(
  'of all that an old kernel reports, %s flows are handed on',
  async (protocol, expected) => {
    const seen: string[] = [];
    const filter = protocol === undefined ? { family: 'IPv4' as const } : { ...udp, protocol };
    await kernel({}).conntrack.dump(filter, (found) => seen.push(found.protocol));
    expect(seen).toEqual(expected);
  },
);

describe('the filter', () => {
  test('is asked for where more than the family is wanted', async () => {
    const { conntrack, asked } = kernel({});
    await conntrack.dump(udp, () => undefined);
    await conntrack.dump({ family: 'IPv4' }, () => undefined);
    expect(asked).toEqual([true, false]);
  });

  test('does not name IPv6 addresses, which the kernel compares the wrong way round', async () => {
    const { conntrack, bodies } = kernel({});
    const ends = { source: ip('fd00::7'), destination: ip('fd00::1') };
    await conntrack.dump({ family: 'IPv6', ...ends }, () => undefined);
    await conntrack.dump({ family: 'IPv6', protocol: 'UDP', ...ends }, () => undefined);
    expect(bodies).toEqual([
      {},
      { original: { transport: { protocol: 17 } }, filter: { original: 0b1000, reply: 0 } },
    ]);
  });

  test.each<[string, FlowFilter, object]>([
    [
      'a protocol',
      udp,
      { original: { transport: { protocol: 17 } }, filter: { original: 0b1000, reply: 0 } },
    ],
    [
      'a source',
      { family: 'IPv4', source: ip('10.0.0.7') },
      { original: { ip: { v4Source: ip('10.0.0.7') } }, filter: { original: 0b1, reply: 0 } },
    ],
    [
      'a destination',
      { family: 'IPv4', destination: ip('172.30.0.1') },
      {
        original: { ip: { v4Destination: ip('172.30.0.1') } },
        filter: { original: 0b10, reply: 0 },
      },
    ],
    [
      'all of them',
      { ...udp, source: ip('10.0.0.7'), destination: ip('172.30.0.1') },
      {
        original: {
          ip: { v4Source: ip('10.0.0.7'), v4Destination: ip('172.30.0.1') },
          transport: { protocol: 17 },
        },
        filter: { original: 0b1011, reply: 0 },
      },
    ],
  ])('names %s, so that the kernel sends nothing else', async (_, filter, body) => {
    const { conntrack, bodies } = kernel({});
    await conntrack.dump(filter, () => undefined);
    expect(bodies).toEqual([body]);
  });

  test.each(['EOPNOTSUPP', 'EINVAL'] as const)('is given up once it is %s', async (code) => {
    const { conntrack, asked } = kernel({ filters: code });
    await conntrack.dump(udp, () => undefined);
    await conntrack.dump(udp, () => undefined);
    expect(asked).toEqual([true, false, false]);
  });

  test('is not blamed for what fails without it', async () => {
    const { conntrack, asked } = kernel({ all: 'EINVAL' });
    await expect(conntrack.dump(udp, () => undefined)).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(conntrack.dump(udp, () => undefined)).rejects.toMatchObject({ code: 'EINVAL' });
    expect(asked).toEqual([true, false, true, false]);
  });

  test('is not blamed for another error', async () => {
    const { conntrack, asked } = kernel({ all: 'EPERM' });
    await expect(conntrack.dump(udp, () => undefined)).rejects.toMatchObject({ code: 'EPERM' });
    expect(asked).toEqual([true]);
  });
});
