import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Family, IpAddress } from '../../pkg/ip/address.ts';
import type { Reach } from '../../pkg/reach/reach.ts';

/** What the suite needs of an implementation, made anew for each test. */
export interface ReachSubject {
  readonly reach: Reach;
  /** A host on a link of this node that answers, one behind it, and one that is not there. */
  readonly neighbour: IpAddress;
  readonly beyond: IpAddress;
  readonly absent: IpAddress;
  /** An address that no route leads to. */
  readonly nowhere: IpAddress;
  /** An address of this node. */
  readonly own: IpAddress;
  /** The node sends something to an address, and the answer or its absence is known. */
  readonly send: (address: IpAddress) => void | Promise<void>;
  /** The neighbour goes away without a word, and comes back. */
  readonly loseNeighbour: () => void;
  readonly returnNeighbour: () => void;
  readonly dispose: () => void;
}

/** What every Reach does. */
export function reachContract(make: (family: Family) => ReachSubject): void {
  const families: readonly Family[] = ['IPv4', 'IPv6'];
  for (const family of families) suite(family, () => make(family));
}

function suite(family: Family, make: () => ReachSubject): void {
  let subject: ReachSubject;
  beforeEach(() => {
    subject = make();
  });
  afterEach(() => subject.dispose());

  test(`${family}: what nobody has sent to is taken for reachable`, () => {
    const { reach, neighbour, beyond, absent, own } = subject;
    for (const address of [neighbour, beyond, absent, own])
      expect(reach.canReach(address)).toBe(true);
  });

  test(`${family}: a host that answers, and what is behind it, can be reached`, async () => {
    const { reach, neighbour, beyond, send } = subject;
    await send(neighbour);
    await send(beyond);
    expect(reach.canReach(neighbour)).toBe(true);
    expect(reach.canReach(beyond)).toBe(true);
  });

  test(`${family}: one that is not on its link cannot`, async () => {
    const { reach, absent, neighbour, send } = subject;
    await send(absent);
    expect(reach.canReach(absent)).toBe(false);
    expect(reach.canReach(neighbour)).toBe(true);
  });

  test(`${family}: where no route leads cannot`, () => {
    expect(subject.reach.canReach(subject.nowhere)).toBe(false);
  });

  test(`${family}: only an address of this node is local`, () => {
    const { reach, own, neighbour, beyond, absent, nowhere } = subject;
    expect(reach.isLocal(own)).toBe(true);
    for (const address of [neighbour, beyond, absent, nowhere])
      expect(reach.isLocal(address)).toBe(false);
  });

  test(`${family}: a lost router takes what is behind it along, until it is back`, async () => {
    const { reach, neighbour, beyond, send, loseNeighbour, returnNeighbour } = subject;
    loseNeighbour();
    await send(beyond);
    expect(reach.canReach(beyond)).toBe(false);
    expect(reach.canReach(neighbour)).toBe(false);
    returnNeighbour();
    await send(beyond);
    expect(reach.canReach(beyond)).toBe(true);
  });
}
