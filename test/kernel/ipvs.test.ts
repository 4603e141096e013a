import { openIpvs } from '../../pkg/ipvs/netlink.ts';
import { ipvsContract } from '../contract/ipvs.ts';
import { createNamespace } from '../support/namespace.ts';

ipvsContract("the kernel's IPVS", () => {
  const namespace = createNamespace();
  const ipvs = openIpvs({ netns: namespace.path });
  return {
    ipvs,
    readBack: () => namespace.run('ipvsadm', '-Sn').split('\n').slice(0, -1),
    close() {
      ipvs.close();
      namespace.remove();
    },
  };
});
