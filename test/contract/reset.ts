import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ClientConnection, Resetter } from '../../pkg/reset/reset.ts';

/** What the suite needs of an implementation, made anew for each test. */
export interface ResetterSubject {
  readonly resetter: Resetter;
  /** Connections of clients that can be reached. */
  readonly connections: readonly ClientConnection[];
  /** One whose client cannot be reached: ENETUNREACH. */
  readonly unreachable: ClientConnection;
  /** What the clients got, in order, once it is this many: `172.30.0.1:80 > 10.0.1.1:1024 S correct`. */
  readonly received: (count: number) => Promise<readonly string[]>;
  readonly dispose: () => void | Promise<void>;
}

/** What every Resetter does. */
export function resetterContract(make: () => ResetterSubject | Promise<ResetterSubject>): void {
  let subject: ResetterSubject;
  beforeEach(async () => {
    subject = await make();
  });
  afterEach(() => subject.dispose());

  const expected = ({ server, serverPort, client, clientPort }: ClientConnection) =>
    `${server}:${serverPort} > ${client}:${clientPort} S correct`;

  test('sends a SYN for each connection, and nothing else', async () => {
    const { resetter, connections, received } = subject;
    for (const connection of connections) resetter.challenge(connection);
    const got = await received(connections.length);
    expect(got.toSorted()).toEqual(connections.map(expected).toSorted());
  });

  test('says of each SYN and RST that it was sent', () => {
    const { resetter, connections } = subject;
    for (const connection of connections) {
      expect(resetter.challenge(connection)).toBe(true);
      expect(resetter.abort(connection)).toBe(true);
    }
  });

  test('says which client cannot be reached, and reaches others afterwards', async () => {
    const { resetter, connections, unreachable, received } = subject;
    expect(() => resetter.challenge(unreachable)).toThrow(
      expect.objectContaining({
        code: 'ENETUNREACH',
        message: expect.stringMatching(/^send SYN .*:\d+ > .*:\d+: ENETUNREACH$/) as string,
      }),
    );
    for (const connection of connections.slice(0, 1)) resetter.challenge(connection);
    expect(await received(1)).toHaveLength(1);
  });

  test('says which server a RST cannot reach', () => {
    const { resetter, unreachable } = subject;
    const { server, serverPort, client, clientPort } = unreachable;
    const turned = {
      server: client,
      serverPort: clientPort,
      client: server,
      clientPort: serverPort,
    };
    expect(() => resetter.abort(turned)).toThrow(
      expect.objectContaining({
        code: 'ENETUNREACH',
        message: expect.stringMatching(/^send RST .*:\d+ > .*:\d+: ENETUNREACH$/) as string,
      }),
    );
  });
}
