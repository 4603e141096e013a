import { describe } from 'vitest';
import { resetterContract } from '../../test/contract/reset.ts';
import { ip } from '../../test/support/addresses.ts';
import { FakeResetter } from './fake.ts';

describe('the fake keeps the contract', () => {
  resetterContract(() => {
    const resetter = new FakeResetter();
    const unreachable = {
      server: ip('172.30.0.1'),
      serverPort: 80,
      client: ip('203.0.113.99'),
      clientPort: 1,
    };
    resetter.failWith = ({ server, client }) =>
      [server, client].includes(unreachable.client) ? 'ENETUNREACH' : undefined;
    return {
      resetter,
      unreachable,
      connections: [
        { ...unreachable, client: ip('10.0.1.1') },
        { ...unreachable, server: ip('fd00:172:30::1'), client: ip('fd00:10::1') },
      ],
      received: async () =>
        resetter.challenged.map(
          ({ server, serverPort, client, clientPort }) =>
            `${server}:${serverPort} > ${client}:${clientPort} S correct`,
        ),
      dispose: () => undefined,
    };
  });
});
