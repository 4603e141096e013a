import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { IpvsConnection, IpvsConnections } from '../../pkg/connections/connections.ts';
import { type Family, families, type IpAddress } from '../../pkg/ip/address.ts';
import type { Protocol } from '../../pkg/ip/protocol.ts';

/** What the suite needs of an implementation, made anew for each test, with an empty table. */
export interface ConnectionsSubject {
  readonly connections: IpvsConnections;
  /** A virtual server of both protocols in each family, its only real server, and who connects. */
  readonly ends: Readonly<
    Record<
      Family,
      { readonly client: IpAddress; readonly virtual: IpAddress; readonly real: IpAddress }
    >
  >;
  readonly port: number;
  readonly realPort: number;
  /** The client connects from a port, and has had an answer. */
  readonly connect: (to: {
    readonly protocol: Protocol;
    readonly family: Family;
    readonly clientPort: number;
  }) => void | Promise<void>;
  readonly dispose: () => void;
}

/** What every IpvsConnections does. */
export function connectionsContract(name: string, make: () => ConnectionsSubject): void {
  describe(name, () => {
    let subject: ConnectionsSubject;
    beforeEach(() => {
      subject = make();
    });
    afterEach(() => subject.dispose());

    async function dump(limit = 100) {
      const found: IpvsConnection[] = [];
      const result = await subject.connections.dump({ limit }, (one) => found.push(one));
      return { ...result, found: found.sort((one, other) => one.clientPort - other.clientPort) };
    }

    test('an empty table says nothing', async () => {
      expect(await dump()).toEqual({ isWhole: true, unreadable: 0, found: [] });
    });

    test.each(families)('%s: connections are told with their ends and states', async (family) => {
      const { connect, ends, port, realPort } = subject;
      await connect({ protocol: 'TCP', family, clientPort: 20_001 });
      await connect({ protocol: 'UDP', family, clientPort: 20_002 });
      const { client, virtual, real } = ends[family];
      const both = { client, address: virtual, port, realAddress: real, realPort };
      expect(await dump()).toEqual({
        isWhole: true,
        unreadable: 0,
        found: [
          { ...both, protocol: 'TCP', clientPort: 20_001, state: 'ESTABLISHED' },
          { ...both, protocol: 'UDP', clientPort: 20_002, state: 'UDP' },
        ],
      });
    });

    test('beyond the limit nothing is told, and that is said', async () => {
      for (const clientPort of [20_001, 20_002, 20_003])
        await subject.connect({ protocol: 'UDP', family: 'IPv4', clientPort });
      const { isWhole, found } = await dump(2);
      expect([isWhole, found.length]).toEqual([false, 2]);
      expect(await dump(3)).toMatchObject({ isWhole: true });
    });
  });
}
