import { afterAll, beforeAll } from 'vitest';
import { NetlinkLinks } from '../../pkg/links/netlink.ts';
import { NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { linksContract } from '../contract/links.ts';
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
