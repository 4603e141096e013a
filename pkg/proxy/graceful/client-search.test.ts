import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import type { IpvsConnection } from '../../connections/connections.ts';
import type { IpAddress } from '../../ip/address.ts';
import type { FoundClients } from '../plan/cleanup.ts';
import { ClientSearch, type Leaving } from './client-search.ts';

const vip = ip('172.30.0.1');
const gone = ip('10.0.0.1');
const well = ip('10.0.0.2');

function leaving(connections: number | undefined, address: IpAddress = gone): Leaving {
  const realServer = { address, port: 8080 };
  return {
    virtualServer: { address: vip, protocol: 'TCP', port: 80 },
    realServer,
    connections,
  };
}

function connection(over: Partial<IpvsConnection> = {}): IpvsConnection {
  return {
    protocol: 'TCP',
    client: ip('203.0.113.7'),
    clientPort: 2048,
    address: vip,
    port: 80,
    realAddress: gone,
    realPort: 8080,
    state: 'ESTABLISHED',
    ...over,
  };
}

function clientsOf(search: ClientSearch, some: Leaving): FoundClients {
  return search.cleanupOf(some, { closes: false }).clients;
}

/** What a search finds in some entries of IPVS's table, the one after the other: how many clients, and how many are missing. */
function find(connections: readonly IpvsConnection[], counted: number): [number, number] {
  const search = new ClientSearch([leaving(counted)], { limit: 100 });
  for (const one of connections) search.seeConnection(one);
  const { count, waiting, missing } = clientsOf(search, leaving(counted));
  expect(waiting).toHaveLength(count);
  return [count, missing];
}

test.each<[string, Partial<IpvsConnection>]>([
  ['of another real server', { realAddress: well }],
  ['of another port of it', { realPort: 8081 }],
  ['of another virtual server', { address: ip('172.30.0.2') }],
  ['of another port', { port: 81 }],
  ['of another protocol', { protocol: 'UDP', state: 'UDP' }],
  ['that is done', { state: 'FIN_WAIT' }],
])('an entry %s is no client', (_, over) => {
  expect(find([connection(over)], 1)).toEqual([0, 1]);
});

test('an entry that comes twice is one client', () => {
  expect(find([connection(), connection()], 2)).toEqual([1, 1]);
});

test.each(['SYN_RECV', 'SYN_SENT', 'SYNACK'])(
  'one in state %s waits for nothing, and is not missing',
  (state) => {
    expect(find([connection({ state })], 1)).toEqual([0, 0]);
  },
);

test('it is complete when every real server has as many clients as IPVS counts', () => {
  const search = new ClientSearch([leaving(1), leaving(1, well)], { limit: 100 });
  expect(search.isIncomplete).toBe(true);
  search.seeConnection(connection());
  expect(search.isIncomplete).toBe(true);
  search.seeConnection(connection({ realAddress: well, clientPort: 2049 }));
  expect(search.isIncomplete).toBe(false);
});

test('it is never complete where nobody has counted', () => {
  const search = new ClientSearch([leaving(undefined)], { limit: 100 });
  search.seeConnection(connection());
  expect([search.isIncomplete, clientsOf(search, leaving(undefined)).missing]).toEqual([true, 0]);
});

test('with more clients than the limit it is no use to look further', () => {
  const search = new ClientSearch([leaving(9)], { limit: 1 });
  for (const clientPort of [1, 2]) search.seeConnection(connection({ clientPort }));
  const { count, waiting, missing } = clientsOf(search, leaving(9));
  expect([count, waiting, missing, search.isIncomplete]).toEqual([2, [], 7, false]);
});
