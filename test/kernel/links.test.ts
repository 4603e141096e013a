import { afterAll, beforeAll, expect, test } from 'vitest';
import { NetlinkLinks } from '../../pkg/links/netlink.ts';
import { NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { linksContract } from '../contract/links.ts';
import { ip } from '../support/addresses.ts';
import { createNamespace, run } from '../support/namespace.ts';

interface PrintedAddress {
  readonly local: string;
  readonly prefixlen: number;
  readonly scope: string;
}

const namespace = createNamespace();
let leave = () => {};
beforeAll(() => {
  leave = namespace.enter();
});
afterAll(() => {
  leave();
  namespace.remove();
});

function ipCommand(...words: readonly string[]): string {
  return run('ip', ...words);
}

function canMakeDummies(): boolean {
  try {
    namespace.run('ip', 'link', 'add', 'kube-probe0', 'type', 'dummy');
    namespace.run('ip', 'link', 'delete', 'kube-probe0');
    return true;
  } catch {
    return false;
  }
}

const hasDummy = canMakeDummies();

linksContract('rtnetlink', {
  hasDummy,
  make() {
    ipCommand('link', 'add', 'kube-test1', 'type', hasDummy ? 'dummy' : 'bridge');
    ipCommand('link', 'add', 'kube-eth0', 'type', 'veth', 'peer', 'name', 'kube-eth1');
    const netns = namespace.path;
    const connection = openConnection(NETLINK_ROUTE, { netns });
    return {
      links: new NetlinkLinks(connection, { netns }),
      device: 'kube-test1',
      other: 'kube-eth0',
      addAddress: (link, text) => void ipCommand('address', 'add', text, 'dev', link),
      removeAddress: (link, text) => void ipCommand('address', 'delete', text, 'dev', link),
      readBack(link) {
        const [device] = JSON.parse(ipCommand('-json', 'address', 'show', 'dev', link)) as [
          { addr_info: PrintedAddress[] },
        ];
        return device.addr_info
          .filter(({ scope }) => scope === 'global')
          .map(({ local, prefixlen }) => `${local}/${prefixlen}`)
          .sort();
      },
      dispose() {
        connection.close();
        ipCommand('link', 'delete', 'kube-test1');
        ipCommand('link', 'delete', 'kube-eth0');
      },
    };
  },
});

test('of a point-to-point address the own end is listed', async () => {
  ipCommand('link', 'add', 'kube-eth0', 'type', 'veth', 'peer', 'name', 'kube-eth1');
  ipCommand('address', 'add', '192.168.0.7', 'peer', '192.168.0.8/32', 'dev', 'kube-eth0');
  const connection = openConnection(NETLINK_ROUTE, { netns: namespace.path });
  const found = await new NetlinkLinks(connection).addresses();
  connection.close();
  ipCommand('link', 'delete', 'kube-eth0');
  expect(found).toContainEqual({ link: 'kube-eth0', address: '192.168.0.7', prefixLength: 32 });
});

test('more events than the socket holds are reported as one', async () => {
  ipCommand('link', 'add', 'kube-eth0', 'type', 'veth', 'peer', 'name', 'kube-eth1');
  const netns = namespace.path;
  const connection = openConnection(NETLINK_ROUTE, { netns });
  const links = new NetlinkLinks(connection, { netns, eventBuffer: 4_096 });
  const abort = new AbortController();
  const reported = Promise.withResolvers<void>();
  const ended = links.watch(reported.resolve, { except: 'kube-eth0', signal: abort.signal });
  const addresses = Array.from({ length: 200 }, (_, index) => ip(`172.30.0.${index}`));
  links.write(addresses.map((address) => ({ kind: 'bindAddress', link: 'kube-eth0', address })));
  await reported.promise;
  abort.abort();
  await ended;
  connection.close();
  ipCommand('link', 'delete', 'kube-eth0');
});
