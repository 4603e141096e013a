import { describe, expect, test } from 'vitest';
import { KernelError } from '../errno/errno.ts';
import { type FlowsConnection, NetlinkConntrack } from './netlink.ts';

/** A kernel that refuses dumps with a filter, or all of them, and keeps what it was asked. */
function kernel(refuses: { filters?: `E${string}`; all?: `E${string}` }) {
  const asked: boolean[] = [];
  const connection: FlowsConnection = {
    batch: () => [],
    dump: (_, value, { operation }) => {
      const isFiltered = 'filter' in (value as { body: object }).body;
      asked.push(isFiltered);
      const code = refuses.all ?? (isFiltered ? refuses.filters : undefined);
      return code === undefined
        ? Promise.resolve()
        : Promise.reject(new KernelError(operation, code));
    },
  };
  return { conntrack: new NetlinkConntrack(connection), asked };
}

const udp = { family: 'IPv4', protocol: 'UDP' } as const;

describe('the filter by protocol', () => {
  test('is asked for where a protocol is wanted', async () => {
    const { conntrack, asked } = kernel({});
    await conntrack.dump(udp, () => undefined);
    await conntrack.dump({ family: 'IPv4' }, () => undefined);
    expect(asked).toEqual([true, false]);
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
