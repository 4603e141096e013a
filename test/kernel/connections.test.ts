import { afterAll } from 'vitest';
import { ProcIpvsConnections } from '../../pkg/connections/proc.ts';
import type { Family } from '../../pkg/ip/address.ts';
import type { Protocol } from '../../pkg/ip/protocol.ts';
import { connectionsContract } from '../contract/connections.ts';
import { ip } from '../support/addresses.ts';
import { type Connection, open } from '../support/network/client.ts';
import { Network, nodeAddresses } from '../support/network/network.ts';
import { serve } from '../support/network/server.ts';

// IPVS's own table of connections, with a real client and a real server.

const ends = {
  IPv4: { client: ip('203.0.113.7'), virtual: nodeAddresses.IPv4, real: ip('10.0.1.1') },
  IPv6: {
    client: ip('2001:db8:203:113::7'),
    virtual: nodeAddresses.IPv6,
    real: ip('fd00:10:0:1::1'),
  },
};
const port = 80;
const realPort = 8080;
const networks: Network[] = [];

afterAll(() => {
  for (const network of networks) network.close();
});

connectionsContract('the table of the kernel', () => {
  const network = new Network();
  networks.push(network);
  const addresses = (end: 'client' | 'real') => [ends.IPv4[end], ends.IPv6[end]];
  const client = network.addClient('client', addresses('client'));
  const pod = network.addPod('pod', addresses('real'));
  const { namespace } = network.node;
  const kinds = (['IPv4', 'IPv6'] as const).flatMap((family) =>
    (['TCP', 'UDP'] as const).map((protocol) => ({ family, protocol })),
  );
  const servers = kinds.map(({ family, protocol }) => {
    const { virtual, real } = ends[family];
    const print = (address: string, at: number) =>
      family === 'IPv4' ? `${address}:${at}` : `[${address}]:${at}`;
    const option = protocol === 'TCP' ? '-t' : '-u';
    namespace.run('ipvsadm', '-A', option, print(virtual, port), '-s', 'rr');
    const server = ['-a', option, print(virtual, port), '-r', print(real, realPort), '-m'] as const;
    namespace.run('ipvsadm', ...server);
    return serve(pod, { protocol, port: realPort, address: real });
  });
  const opened: Connection[] = [];
  const leave = namespace.enter();
  return {
    connections: new ProcIpvsConnections(),
    ends,
    port,
    realPort,
    async connect(to: { protocol: Protocol; family: Family; clientPort: number }) {
      const { protocol, family, clientPort: sourcePort } = to;
      const address = ends[family].virtual;
      const connection = await open(client, { protocol, address, port, sourcePort });
      if ('kind' in connection) throw new Error(`could not connect: ${connection.kind}`);
      opened.push(connection);
      const answer = await connection.ask();
      if (answer.kind !== 'answer') throw new Error(`no answer: ${answer.kind}`);
    },
    dispose() {
      for (const connection of opened) connection.close();
      for (const server of servers) server.close();
      leave();
    },
  };
});
