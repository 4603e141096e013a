import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Family, families, unspecified } from '../../pkg/ip/address.ts';
import { protocols } from '../../pkg/ip/protocol.ts';
import { ip } from '../support/addresses.ts';
import { expectGolden } from '../support/golden.ts';
import { type Host, Network, nodeAddresses } from '../support/network/network.ts';
import { type Server, serve } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { silence } from '../support/patience.ts';
import { TracedTraffic } from '../support/traced-traffic.ts';
import { addressOf, ShopService, serveAll, table, unanswered } from '../support/traffic.ts';

// Which server answers: spread, session affinity and traffic policies; and who must never answer. Each answer is compared with the trace of
// the kernel's state; pkg/trace/combinations.test.ts has all combinations of policies, clients and readiness.

const network = new Network();
const traffic = new TracedTraffic(network);
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
/** A pod of another node. */
const distant = network.addClient('distant', [ip('10.0.2.1'), ip('fd00:10:0:2::1')]);
const far = { host: distant, nodeName: 'elsewhere' };

function addPod(name: string, number: number): Host {
  return network.addPod(name, [ip(`10.0.1.${number}`), ip(`fd00:10:0:1::${number}`)]);
}

const web1 = addPod('web1', 1);
const web2 = addPod('web2', 2);
const web3 = addPod('web3', 3);
const caller = addPod('caller', 11);
const callers = [caller, addPod('caller2', 12), addPod('caller3', 13)];

const plain = new ShopService('plain', 1);
const sticky = new ShopService('sticky', 2);
const external = new ShopService('external', 3);
const externalFar = new ShopService('external-far', 4);
const internal = new ShopService('internal', 5);
const internalFar = new ShopService('internal-far', 6);

const servers: Server[] = [];
let proxy: NodeProxy;

beforeAll(async () => {
  for (const host of [web1, web2, web3, distant]) servers.push(...serveAll(host));
  proxy = new NodeProxy(network.node.namespace);
  proxy.report(
    plain.service(),
    ...plain.slices(web1, web2, web3),
    sticky.service({ affinitySeconds: 3_600 }),
    ...sticky.slices(web1, web2, web3),
    external.service({ externalTrafficPolicy: 'Local' }),
    ...external.slices(web1, far),
    externalFar.service({ externalTrafficPolicy: 'Local' }),
    ...externalFar.slices(far),
    internal.service({ internalTrafficPolicy: 'Local' }),
    ...internal.slices(web1, far),
    internalFar.service({ internalTrafficPolicy: 'Local' }),
    ...internalFar.slices(far),
  );
  await proxy.settled();
});

afterAll(async () => {
  for (const server of servers) server.close();
  await proxy.stop();
  network.close();
});

const as = (who: Host) => (family: Family) => addressOf(who, family);
const asNode = (family: Family) => nodeAddresses[family];

/** A table in which these servers answered equally often, and saw a client as its function says. */
function evenly(
  hosts: readonly Host[],
  { times, seen }: { times: number; seen: (family: Family) => string },
) {
  return table(({ family }) =>
    Object.fromEntries(hosts.map(({ name }) => [`${name} saw ${seen(family)}`, times])),
  );
}

test('the state is the golden one', async () => {
  await expectGolden(network.node.namespace, 'real-servers');
});

describe('three real servers', () => {
  test('share the connections to the cluster IP exactly', async () => {
    expect(await traffic.countAll(caller, plain.vip, { rounds: 12 })).toEqual(
      evenly([web1, web2, web3], { times: 4, seen: as(caller) }),
    );
  });

  test('share the connections to the node port exactly', async () => {
    expect(await traffic.countAll(client, plain.nodePort, { rounds: 6 })).toEqual(
      evenly([web1, web2, web3], { times: 2, seen: asNode }),
    );
  });
});

describe('a port that the node listens on, and no Service has', () => {
  const port = 2222;

  beforeAll(() => {
    for (const protocol of protocols) {
      for (const family of families)
        servers.push(serve(network.node, { protocol, port, address: unspecified(family) }));
    }
  });

  test('is answered on the node’s own addresses', async () => {
    expect(await traffic.askAll(client, { addresses: nodeAddresses, port })).toEqual(
      table(({ family }) => `node saw ${addressOf(client, family)}`),
    );
  });

  test.each([
    ['a pod', caller],
    ['a client outside', client],
    ['the node itself', network.node],
  ])('is never answered on a cluster IP to %s', async (_, who) => {
    const target = { addresses: plain.vip.addresses, port };
    expect(await traffic.askAll(who, target, { patience: silence })).toEqual(unanswered);
  });

  test('nor is a node port on a cluster IP', async () => {
    const target = { addresses: plain.vip.addresses, port: plain.nodePort.port };
    expect(await traffic.askAll(client, target, { patience: silence })).toEqual(unanswered);
  });

  test('nor a Service’s port on the node’s addresses', async () => {
    const target = { addresses: nodeAddresses, port: plain.vip.port };
    expect(await traffic.askAll(client, target, { patience: silence })).toEqual(unanswered);
  });
});

describe('session affinity', () => {
  test('keeps each client at one server, and clients apart', async () => {
    const used = table(() => new Set<string>());
    for (const who of callers) {
      const counts = await traffic.countAll(who, sticky.vip, { rounds: 4 });
      for (const [name, count] of Object.entries(counts)) {
        expect(Object.values(count), `${who.name}, ${name}`).toEqual([4]);
        for (const answer of Object.keys(count)) used[name]?.add(answer.split(' ')[0] ?? '');
      }
    }
    expect(used).toEqual(table(() => new Set(['web1', 'web2', 'web3'])));
  });

  test('keeps a client outside at one server of the node port', async () => {
    const counts = await traffic.countAll(client, sticky.nodePort, { rounds: 4 });
    for (const [name, count] of Object.entries(counts))
      expect(Object.values(count), name).toEqual([4]);
  });

  test('is over when the Service no longer asks for it', async () => {
    proxy.report(sticky.service());
    await proxy.settled();
    traffic.changed();
    expect(await traffic.countAll(caller, sticky.vip, { rounds: 3 })).toEqual(
      evenly([web1, web2, web3], { times: 1, seen: as(caller) }),
    );
  });
});

describe('external traffic policy Local', () => {
  test('sends clients outside to this node’s server, which sees them as they are', async () => {
    expect(await traffic.countAll(client, external.nodePort, { rounds: 3 })).toEqual(
      evenly([web1], { times: 3, seen: as(client) }),
    );
  });

  test('lets the cluster IP use all real servers', async () => {
    expect(await traffic.countAll(caller, external.vip, { rounds: 2 })).toEqual(
      evenly([web1, distant], { times: 1, seen: as(caller) }),
    );
  });
});

describe('internal traffic policy Local', () => {
  test('lets the cluster IP use this node’s server only, and the node port all', async () => {
    expect(await traffic.countAll(caller, internal.vip, { rounds: 2 })).toEqual(
      evenly([web1], { times: 2, seen: as(caller) }),
    );
    expect(await traffic.countAll(client, internal.nodePort, { rounds: 2 })).toEqual(
      evenly([web1, distant], { times: 1, seen: asNode }),
    );
  });

  test('without a server on this node, the cluster IP is never answered, the node port is', async () => {
    expect(await traffic.askAll(caller, internalFar.vip, { patience: silence })).toEqual(
      unanswered,
    );
    expect(await traffic.countAll(client, internalFar.nodePort, { rounds: 1 })).toEqual(
      evenly([distant], { times: 1, seen: asNode }),
    );
  });
});
