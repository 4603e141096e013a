import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type Conntrack,
  type Flow,
  type FlowFilter,
  isUntranslated,
  reversed,
  type Tuple,
} from '../../pkg/conntrack/conntrack.ts';
import { errnoOf } from '../../pkg/errno/errno.ts';
import { familyOf } from '../../pkg/ip/address.ts';
import { protocols } from '../../pkg/ip/protocol.ts';
import { ip } from '../support/addresses.ts';

/** A flow as a test wants it in the table. */
export type WantedFlow = Pick<
  Flow,
  'protocol' | 'original' | 'reply' | 'zone' | 'mark' | 'tcpState'
>;

/** What the suite needs of an implementation, made anew for each test. */
export interface ConntrackSubject {
  readonly conntrack: Conntrack;
  /** Puts a flow into the table by another way than the implementation's. */
  insert(flow: WantedFlow): void;
  /** Leaves no flow behind. */
  dispose(): void;
}

/** From a pod to a Service that nobody translated. */
export function plainFlow(
  changes: Partial<WantedFlow> & { sourcePort?: number; isIPv6?: boolean } = {},
): WantedFlow {
  const { sourcePort = 1024, isIPv6 = false, ...rest } = changes;
  const [pod, vip] = isIPv6 ? ['fd00:10::7', 'fd00:172:30::1'] : ['10.0.0.7', '172.30.0.1'];
  const original = { source: ip(pod), destination: ip(vip), sourcePort, destinationPort: 53 };
  const flow = {
    protocol: 'UDP',
    original,
    reply: reversed(original),
    zone: 0,
    mark: 0,
    tcpState: undefined,
  } as const;
  return { ...flow, ...rest };
}

/** The same, but an endpoint answers. */
export function translatedFlow(
  endpoint: string,
  changes: Parameters<typeof plainFlow>[0] = {},
): WantedFlow {
  const flow = plainFlow(changes);
  return { ...flow, reply: { ...flow.reply, source: ip(endpoint), sourcePort: 5353 } };
}

/** What every implementation of {@link Conntrack} does. `make` is called before each test. */
export function conntrackContract(make: () => ConntrackSubject | Promise<ConntrackSubject>): void {
  let subject: ConntrackSubject;
  let conntrack: Conntrack;
  beforeEach(async () => {
    subject = await make();
    conntrack = subject.conntrack;
  });
  afterEach(() => subject.dispose());

  async function flows(filter: FlowFilter = { family: 'IPv4' }): Promise<Flow[]> {
    const found: Flow[] = [];
    await conntrack.dump(filter, (flow) => found.push(flow));
    return found.sort((one, other) => one.original.sourcePort - other.original.sourcePort);
  }

  const sourcePorts = async (filter?: FlowFilter) =>
    (await flows(filter)).map(({ original }) => original.sourcePort);

  async function only(): Promise<Flow> {
    const [flow, ...rest] = await flows();
    if (flow === undefined || rest.length > 0) throw new Error('there is not exactly one flow');
    return flow;
  }

  describe('dump', () => {
    test('of an empty table calls nobody', async () => {
      expect(await flows()).toEqual([]);
    });

    test.each([
      ['UDP', plainFlow()],
      ['TCP', plainFlow({ protocol: 'TCP', tcpState: 'ESTABLISHED' })],
      ['TCP at its end', plainFlow({ protocol: 'TCP', tcpState: 'TIME_WAIT' })],
      ['SCTP', plainFlow({ protocol: 'SCTP' })],
      ['a translated one', translatedFlow('10.0.0.8')],
      ['a marked one', plainFlow({ mark: 0x8000_4000 })],
      ['one in a zone', plainFlow({ zone: 65535 })],
    ])('gives back %s', async (_, wanted) => {
      subject.insert(wanted);
      expect(await flows()).toEqual([
        { ...wanted, id: expect.any(Number), status: expect.any(Number) },
      ]);
      expect(await flows({ family: 'IPv6' })).toEqual([]);
    });

    test.each([
      ['UDP', plainFlow({ isIPv6: true })],
      ['TCP', plainFlow({ isIPv6: true, protocol: 'TCP', tcpState: 'SYN_SENT' })],
      ['a translated one', translatedFlow('fd00:10::8', { isIPv6: true })],
    ])('gives back %s over IPv6', async (_, wanted) => {
      subject.insert(wanted);
      expect(await flows({ family: 'IPv6' })).toEqual([
        { ...wanted, id: expect.any(Number), status: expect.any(Number) },
      ]);
      expect(await flows()).toEqual([]);
    });

    test('filters by protocol', async () => {
      for (const isIPv6 of [false, true]) {
        subject.insert(
          plainFlow({ isIPv6, sourcePort: 1, protocol: 'TCP', tcpState: 'ESTABLISHED' }),
        );
        subject.insert(plainFlow({ isIPv6, sourcePort: 2, protocol: 'UDP' }));
        subject.insert(plainFlow({ isIPv6, sourcePort: 3, protocol: 'SCTP' }));
      }
      for (const family of ['IPv4', 'IPv6'] as const) {
        for (const [index, protocol] of protocols.entries()) {
          expect(await sourcePorts({ family, protocol })).toEqual([index + 1]);
        }
        expect(await sourcePorts({ family })).toEqual([1, 2, 3]);
      }
    });

    test('filters by the addresses of the original direction', async () => {
      for (const isIPv6 of [false, true]) {
        const [client, other, vip] = isIPv6
          ? [ip('fd00:10::7'), ip('fd00:10::9'), ip('fd00:172:30::9')]
          : [ip('10.0.0.7'), ip('10.0.0.9'), ip('172.30.0.9')];
        const insert = (sourcePort: number, ends: Partial<Tuple>) => {
          const { original } = plainFlow({ isIPv6, sourcePort });
          const changed = { ...original, ...ends };
          subject.insert(plainFlow({ isIPv6, original: changed, reply: reversed(changed) }));
        };
        insert(1, {});
        insert(2, { source: other });
        insert(3, { destination: vip });
        insert(4, { source: other, destination: vip });
        // The other way round.
        insert(5, { source: vip, destination: client });
        const family = isIPv6 ? 'IPv6' : 'IPv4';
        expect(await sourcePorts({ family, source: other })).toEqual([2, 4]);
        expect(await sourcePorts({ family, destination: vip })).toEqual([3, 4]);
        expect(await sourcePorts({ family, source: client, destination: vip })).toEqual([3]);
        const protocol = 'UDP' as const;
        expect(await sourcePorts({ family, protocol, source: client })).toEqual([1, 3]);
        expect(await sourcePorts({ family, protocol: 'TCP', source: client })).toEqual([]);
      }
    });

    test('tells which flows nobody translated', async () => {
      subject.insert(plainFlow({ sourcePort: 1 }));
      subject.insert(translatedFlow('10.0.0.8', { sourcePort: 2 }));
      expect((await flows()).map(isUntranslated)).toEqual([true, false]);
    });

    test('lets an error of the caller through', async () => {
      subject.insert(plainFlow());
      const fail = () => {
        throw new Error('of the caller');
      };
      await expect(conntrack.dump({ family: 'IPv4' }, fail)).rejects.toThrow('of the caller');
      expect(await sourcePorts()).toEqual([1024]);
    });
  });

  describe('delete', () => {
    test('takes what it is given and nothing else', async () => {
      for (const sourcePort of [1, 2, 3, 4]) subject.insert(plainFlow({ sourcePort }));
      subject.insert(plainFlow({ sourcePort: 2, protocol: 'TCP', tcpState: 'ESTABLISHED' }));
      const chosen = (await flows({ family: 'IPv4', protocol: 'UDP' })).filter(
        ({ original }) => original.sourcePort % 2 === 0,
      );
      expect(conntrack.delete(chosen)).toBe(2);
      expect(
        (await flows()).map(({ protocol, original }) => [protocol, original.sourcePort]),
      ).toEqual([
        ['UDP', 1],
        ['TCP', 2],
        ['UDP', 3],
      ]);
    });

    test.each([
      ['TCP', plainFlow({ protocol: 'TCP', tcpState: 'ESTABLISHED' })],
      ['SCTP', plainFlow({ protocol: 'SCTP' })],
      ['a translated one', translatedFlow('10.0.0.8')],
      ['a marked one', plainFlow({ mark: 0x4000 })],
    ])('takes %s', async (_, wanted) => {
      subject.insert(wanted);
      expect(conntrack.delete(await flows())).toBe(1);
      expect(await flows()).toEqual([]);
    });

    test('takes IPv6 flows', async () => {
      subject.insert(translatedFlow('fd00:10::8', { isIPv6: true }));
      expect(conntrack.delete(await flows({ family: 'IPv6' }))).toBe(1);
      expect(await flows({ family: 'IPv6' })).toEqual([]);
    });

    test('of one that is gone is no error and not counted', async () => {
      subject.insert(plainFlow({ sourcePort: 1 }));
      subject.insert(plainFlow({ sourcePort: 2 }));
      const [first, second] = await flows();
      if (first === undefined || second === undefined) throw new Error('there are not two flows');
      expect(conntrack.delete([first])).toBe(1);
      expect(conntrack.delete([first, second, second])).toBe(1);
      expect(conntrack.delete([first, second])).toBe(0);
      expect(conntrack.delete([])).toBe(0);
    });

    test('leaves a later flow with the same tuple alone', async () => {
      subject.insert(plainFlow());
      const flow = await only();
      expect(conntrack.delete([{ ...flow, id: flow.id === 1 ? 2 : 1 }])).toBe(0);
      expect(await sourcePorts()).toEqual([1024]);
      expect(conntrack.delete([{ ...flow, id: undefined }])).toBe(1);
      expect(await flows()).toEqual([]);
    });

    test('leaves the same tuple in another zone alone', async () => {
      subject.insert(plainFlow({ zone: 0 }));
      subject.insert(plainFlow({ zone: 7 }));
      const zones = async () => (await flows()).map(({ zone }) => zone);
      expect(conntrack.delete((await flows()).filter(({ zone }) => zone === 7))).toBe(1);
      expect(await zones()).toEqual([0]);
      subject.insert(plainFlow({ zone: 7 }));
      expect(conntrack.delete((await flows()).filter(({ zone }) => zone === 0))).toBe(1);
      expect(await zones()).toEqual([7]);
    });

    test('takes more than a batch at once', async () => {
      for (let sourcePort = 1; sourcePort <= 70; sourcePort++)
        subject.insert(plainFlow({ sourcePort }));
      expect(conntrack.delete((await flows()).slice(0, 69))).toBe(69);
      expect(await sourcePorts()).toEqual([70]);
    });
  });

  describe('add', () => {
    const { protocol, original } = plainFlow({ protocol: 'TCP' });
    const wanted = { protocol, original, tcpState: 'SYN_SENT' } as const;
    const SEEN_REPLY = 2;

    test.each([
      ['TCP', plainFlow({ protocol: 'TCP', tcpState: 'SYN_SENT' })],
      ['UDP', plainFlow()],
      ['IPv6', plainFlow({ protocol: 'TCP', tcpState: 'ESTABLISHED', isIPv6: true })],
    ])('makes a flow of %s that counts as answered', async (_, flow) => {
      const { protocol: kind, original: ends, tcpState } = flow;
      const family = familyOf(ends.source);
      expect(conntrack.add([{ protocol: kind, original: ends, tcpState }], { seconds: 9 })).toEqual(
        [],
      );
      const [made] = await flows({ family });
      expect(made).toEqual({ ...flow, id: expect.any(Number), status: expect.any(Number) });
      expect((made?.status ?? 0) & SEEN_REPLY).toBe(SEEN_REPLY);
    });

    test('of ends that are taken in either direction fails, and the others are made', async () => {
      subject.insert(translatedFlow('10.0.0.8', { protocol: 'TCP', tcpState: 'ESTABLISHED' }));
      const other = { ...wanted, original: { ...original, sourcePort: 7 } };
      const backwards = { ...wanted, original: reversed(original) };
      const failures = conntrack.add([wanted, backwards, other, other], { seconds: 9 });
      expect(failures.map(({ index, error }) => [index, errnoOf(error)])).toEqual([
        [0, 'EEXIST'],
        [1, 'EEXIST'],
        [3, 'EEXIST'],
      ]);
      expect(await sourcePorts()).toEqual([7, 1024]);
    });

    test('of nothing does nothing', async () => {
      expect(conntrack.add([], { seconds: 9 })).toEqual([]);
      expect(await flows()).toEqual([]);
    });

    test('makes what can be deleted without its id', async () => {
      conntrack.add([wanted], { seconds: 9 });
      const [made] = await flows();
      expect(conntrack.delete(made === undefined ? [] : [{ ...made, id: undefined }])).toBe(1);
      expect(await flows()).toEqual([]);
    });
  });
}
