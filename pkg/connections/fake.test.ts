import { expect, test } from 'vitest';
import { connectionsContract } from '../../test/contract/connections.ts';
import { ip } from '../../test/support/addresses.ts';
import { FakeIpvsConnections } from './fake.ts';

const ends = {
  IPv4: { client: ip('10.0.1.11'), virtual: ip('172.30.0.1'), real: ip('10.0.1.1') },
  IPv6: {
    client: ip('fd00:10:0:1::11'),
    virtual: ip('fd00:172:30::1'),
    real: ip('fd00:10:0:1::1'),
  },
};

connectionsContract('the fake keeps the contract', () => {
  const connections = new FakeIpvsConnections();
  return {
    connections,
    ends,
    port: 80,
    realPort: 8080,
    connect({ protocol, family, clientPort }) {
      const { client, virtual: address, real: realAddress } = ends[family];
      connections.insert({
        protocol,
        client,
        clientPort,
        address,
        port: 80,
        realAddress,
        realPort: 8080,
        state: protocol === 'TCP' ? 'ESTABLISHED' : protocol,
      });
    },
    dispose: () => undefined,
  };
});

test('a dump can fail', async () => {
  const connections = new FakeIpvsConnections();
  connections.failWith = () => 'EACCES';
  await expect(connections.dump({ limit: 1 }, () => undefined)).rejects.toThrow(
    'read the connections of IPVS: EACCES',
  );
});
