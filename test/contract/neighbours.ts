import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Family, IpAddress } from '../../pkg/ip/address.ts';
import {
  type Neighbours,
  type RouteTables,
  routeByTables,
} from '../../pkg/neighbours/neighbours.ts';

/** What the suite needs of an implementation, made anew for each test. */
export interface NeighboursSubject {
  readonly neighbours: Neighbours & RouteTables;
  /** A host on a link of this node that answers, one behind it, and one that is not there. */
  readonly neighbour: IpAddress;
  readonly beyond: IpAddress;
  readonly absent: IpAddress;
  /** An address that no route leads to. */
  readonly nowhere: IpAddress;
  /** An address of this node. */
  readonly own: IpAddress;
  /** The index of the device of its link. */
  readonly device: number;
  /** The node sends something to an address, and the answer or its absence is known. */
  readonly send: (address: IpAddress) => void | Promise<void>;
  /** The neighbour goes away without a word, and comes back. */
  readonly loseNeighbour: () => void;
  readonly returnNeighbour: () => void;
  readonly dispose: () => void;
}

/** What every Reach does. */
export function neighboursContract(make: (family: Family) => NeighboursSubject): void {
  const families: readonly Family[] = ['IPv4', 'IPv6'];
  for (const family of families) suite(family, () => make(family));
}

function suite(family: Family, make: () => NeighboursSubject): void {
  let subject: NeighboursSubject;
  beforeEach(() => {
    subject = make();
  });
  afterEach(() => subject.dispose());

  test(`${family}: what nobody has sent to is taken for reachable`, () => {
    const { neighbours, neighbour, beyond, absent, own } = subject;
    for (const address of [neighbour, beyond, absent, own])
      expect(neighbours.canReach(address)).toBe(true);
  });

  test(`${family}: a host that answers, and what is behind it, can be reached`, async () => {
    const { neighbours, neighbour, beyond, send } = subject;
    await send(neighbour);
    await send(beyond);
    expect(neighbours.canReach(neighbour)).toBe(true);
    expect(neighbours.canReach(beyond)).toBe(true);
  });

  test(`${family}: one that is not on its link cannot`, async () => {
    const { neighbours, absent, neighbour, send } = subject;
    await send(absent);
    expect(neighbours.canReach(absent)).toBe(false);
    expect(neighbours.canReach(neighbour)).toBe(true);
  });

  test(`${family}: where no route leads cannot`, () => {
    expect(subject.neighbours.canReach(subject.nowhere)).toBe(false);
  });

  test(`${family}: only an address of this node is local`, () => {
    const { neighbours, own, neighbour, beyond, absent, nowhere } = subject;
    expect(neighbours.isLocal(own)).toBe(true);
    for (const address of [neighbour, beyond, absent, nowhere])
      expect(neighbours.isLocal(address)).toBe(false);
  });

  test(`${family}: a route says where packets go, and which source those of the node have`, () => {
    const { neighbours, own, neighbour, beyond, nowhere, device } = subject;
    expect(neighbours.route(own)).toEqual({ kind: 'local' });
    expect(neighbours.route(nowhere)).toEqual({ kind: 'none' });
    const route = { kind: 'device', device, source: own };
    expect(neighbours.route(neighbour)).toEqual({ ...route, gateway: undefined });
    expect(neighbours.route(beyond)).toEqual({ ...route, gateway: neighbour });
  });

  test(`${family}: the tables lead where the kernel's own lookup does`, async () => {
    const { neighbours, own, neighbour, beyond, nowhere } = subject;
    const { isWhole, routes } = await neighbours.tableRoutes(1_000);
    expect(isWhole).toBe(true);
    for (const address of [own, neighbour, beyond, nowhere]) {
      // A source that no route names is chosen by the kernel when it looks up.
      const { source, ...rest } = { source: undefined, ...routeByTables(routes, address) };
      const expected = source === undefined ? rest : { ...rest, source };
      expect(neighbours.route(address)).toMatchObject(expected);
    }
    const first = await neighbours.tableRoutes(1);
    expect([first.isWhole, first.routes]).toEqual([false, routes.slice(0, 1)]);
  });

  test(`${family}: a lost router takes what is behind it along, until it is back`, async () => {
    const { neighbours, neighbour, beyond, send, loseNeighbour, returnNeighbour } = subject;
    loseNeighbour();
    await send(beyond);
    expect(neighbours.canReach(beyond)).toBe(false);
    expect(neighbours.canReach(neighbour)).toBe(false);
    returnNeighbour();
    await send(beyond);
    expect(neighbours.canReach(beyond)).toBe(true);
  });
}
