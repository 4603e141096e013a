import { execFileSync } from 'node:child_process';
import { NetlinkLinks } from '../../pkg/links/netlink.ts';
import { NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { linksContract } from '../contract/links.ts';

interface PrintedAddress {
  readonly local: string;
  readonly prefixlen: number;
  readonly scope: string;
}

function ipCommand(...words: readonly string[]): string {
  return execFileSync('ip', words, { encoding: 'utf8', stdio: 'pipe' });
}

function canMakeDummies(): boolean {
  try {
    ipCommand('link', 'add', 'kube-probe0', 'type', 'dummy');
    ipCommand('link', 'delete', 'kube-probe0');
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
    const connection = openConnection(NETLINK_ROUTE);
    return {
      links: new NetlinkLinks(connection),
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
        for (const name of ['kube-test0', 'kube-test1', 'kube-eth0']) {
          try {
            ipCommand('link', 'delete', name);
          } catch {
            // It was not made, or the test deleted it.
          }
        }
      },
    };
  },
});
