import { afterAll, beforeAll, expect, test } from 'vitest';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { NetlinkRoutes } from '../../pkg/routes/netlink.ts';
import { routesContract } from '../contract/routes.ts';
import { net } from '../support/addresses.ts';
import { createNamespace, run } from '../support/namespace.ts';

const NETLINK_ROUTE = 0;

const namespace = createNamespace();
let leave = () => {};
beforeAll(() => {
  leave = namespace.enter();
});
afterAll(() => {
  leave();
  namespace.remove();
});

interface PrintedRoute {
  readonly dst: string;
  readonly prefsrc?: string;
}

/** What `ip` prints of our routes in the local table, sorted. */
function readBack(): readonly string[] {
  return ['-4', '-6']
    .flatMap((family) => {
      const words = ['-json', family, 'route', 'show', 'table', 'local', 'proto', '173'];
      return JSON.parse(run('ip', ...words)) as readonly PrintedRoute[];
    })
    .map(({ dst, prefsrc }) => {
      const network = dst.includes('/') ? dst : `${dst}/${dst.includes(':') ? 128 : 32}`;
      return prefsrc === undefined ? network : `${network} src ${prefsrc}`;
    })
    .sort();
}

function makeDevice(): void {
  run('ip', 'link', 'add', 'kube-eth0', 'type', 'veth', 'peer', 'name', 'kube-eth1');
  run('ip', 'link', 'set', 'kube-eth0', 'up');
}

function addAddress(text: string): void {
  const nodad = text.includes(':') ? ['nodad'] : [];
  run('ip', 'address', 'add', text, 'dev', 'kube-eth0', ...nodad);
}

function open() {
  const connection = openConnection(NETLINK_ROUTE, { netns: namespace.path, strict: true });
  return { routes: new NetlinkRoutes(connection), close: () => connection.close() };
}

routesContract('rtnetlink', () => {
  makeDevice();
  const { routes, close } = open();
  return {
    routes,
    addAddress,
    readBack,
    dispose() {
      close();
      for (const family of ['-4', '-6'])
        run('ip', family, 'route', 'flush', 'table', 'local', 'proto', '173');
      run('ip', 'link', 'delete', 'kube-eth0');
    },
  };
});

test('routes of others to the same networks are neither listed, nor replaced, nor deleted', async () => {
  makeDevice();
  const { routes, close } = open();
  addAddress('172.30.0.1/32');
  addAddress('fd00:172:30::1/128');
  run('ip', 'route', 'add', 'local', '172.30.0.0/16', 'dev', 'lo', 'table', 'local');
  run('ip', 'route', 'add', 'blackhole', '172.30.0.0/16', 'proto', '173');
  const others = () =>
    ['-4', '-6']
      .flatMap((family) => run('ip', family, 'route', 'show', 'table', 'all').split('\n'))
      .map((line) => line.trim())
      .filter((line) => line.includes('172') && !line.includes('metric 173'));
  const before = others();
  expect(before.length).toBeGreaterThanOrEqual(4);
  expect(await routes.routes()).toEqual([]);
  const networks = ['172.30.0.1/32', '172.30.0.0/16', 'fd00:172:30::1/128'].map(net);
  const added = networks.map((network) => ({
    kind: 'addRoute' as const,
    network,
    source: undefined,
  }));
  expect(routes.write(added)).toEqual([]);
  expect(readBack()).toHaveLength(3);
  expect(others()).toEqual(before);
  // The kernel's own route goes with the address, and ours stays.
  run('ip', 'address', 'delete', '172.30.0.1/32', 'dev', 'kube-eth0');
  expect(readBack()).toHaveLength(3);
  expect(routes.write(networks.map((network) => ({ kind: 'deleteRoute', network })))).toEqual([]);
  expect(readBack()).toEqual([]);
  expect(others()).toEqual(before.filter((line) => !line.startsWith('local 172.30.0.1 ')));
  close();
  run('ip', 'route', 'flush', 'table', 'local', 'proto', 'boot');
  run('ip', 'route', 'flush', 'proto', '173');
  run('ip', 'link', 'delete', 'kube-eth0');
});

test('before any device was up there is no table, and none of ours is in it', async () => {
  const name = 'kube-proxy-without-routes';
  run('ip', 'netns', 'add', name);
  const netns = `/run/netns/${name}`;
  const connection = openConnection(NETLINK_ROUTE, { netns, strict: true });
  try {
    expect(await new NetlinkRoutes(connection).routes()).toEqual([]);
  } finally {
    connection.close();
    run('ip', 'netns', 'delete', name);
  }
});
