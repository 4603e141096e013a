import { afterAll, describe, expect, test } from 'vitest';
import type { Protocol } from '../../pkg/ip/protocol.ts';
import { ip } from '../support/addresses.ts';
import { ask } from '../support/network/client.ts';
import { Network, nodeAddresses } from '../support/network/network.ts';
import { type Server, serve } from '../support/network/server.ts';
import { silence } from '../support/patience.ts';
import { connect } from '../support/stream.ts';

// The test network itself, without any proxy: who reaches whom, and what is seen when nobody answers.

const network = new Network();
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const pod = network.addPod('pod', [ip('10.0.1.1'), ip('fd00:10::1')]);
const servers: Server[] = [];

afterAll(() => {
  for (const server of servers) server.close();
  network.close();
});

describe('the test network', () => {
  const cases = (['TCP', 'UDP', 'SCTP'] as const satisfies readonly Protocol[]).flatMap(
    (protocol) =>
      [
        ['10.0.1.1', '203.0.113.7'],
        ['fd00:10::1', '2001:db8:203:113::7'],
      ].map(([to, from]) => [protocol, to ?? '', from ?? ''] as const),
  );

  test.each(cases)(
    'carries %s to %s and back, with the source address %s kept',
    async (protocol, to, from) => {
      servers.push(serve(pod, { protocol, port: 80, address: ip(to) }));
      expect(await ask(client, { protocol, address: ip(to), port: 80 })).toEqual({
        kind: 'answer',
        server: 'pod',
        peer: from,
      });
      expect(await ask(network.node, { protocol, address: ip(to), port: 80 })).toMatchObject({
        kind: 'answer',
        server: 'pod',
      });
    },
  );

  test('a connection that is closed is waited on no longer, and its descriptor is free', async () => {
    servers.push(serve(pod, { protocol: 'TCP', port: 81, address: ip('10.0.1.1') }));
    const request = { protocol: 'TCP', address: ip('10.0.1.1'), port: 81 } as const;
    for (let round = 0; round < 2; round++) {
      const connection = await connect(client, request);
      const ended = connection.ended();
      connection.close();
      expect(await ended).toBe('open');
    }
  });

  test('a closed port is refused, an absent address is not answered', async () => {
    expect(await ask(client, { protocol: 'TCP', address: nodeAddresses.IPv4, port: 81 })).toEqual({
      kind: 'refused',
    });
    network.cut(pod);
    expect(
      await ask(client, { protocol: 'TCP', address: ip('10.0.1.1'), port: 80, patience: silence }),
    ).toEqual({ kind: 'timeout' });
  });

  test("a pod that is cut off at the node's end has no route any more", async () => {
    const unplugged = network.addPod('unplugged', [ip('10.0.1.9')]);
    network.cut(unplugged, { side: 'node' });
    expect(await ask(client, { protocol: 'TCP', address: ip('10.0.1.9'), port: 80 })).toEqual({
      kind: 'unreachable',
    });
  });
});
