import { openConnection } from '../../pkg/netlink/connection.ts';
import { NETLINK_NETFILTER } from '../../pkg/netlink/netfilter.ts';
import { NetlinkNftTables } from '../../pkg/nftables/netlink.ts';
import { nftTablesContract } from '../contract/nftables.ts';
import { createNamespace } from '../support/namespace.ts';

nftTablesContract('nf_tables', () => {
  const node = createNamespace();
  const connection = openConnection(NETLINK_NETFILTER, { netns: node.path });
  return {
    nftTables: new NetlinkNftTables(connection),
    addTable({ family, name }) {
      const nft = family === 'IPv4' ? 'ip' : 'ip6';
      node.run('nft', 'add', 'table', nft, name);
      node.run('nft', 'add', 'chain', nft, name, 'some');
    },
    addOther: (name) => node.run('nft', 'add', 'table', ...name.split(' ')),
    readBack: () => node.run('nft', 'list', 'tables'),
    dispose() {
      connection.close();
      node.remove();
    },
  };
});
