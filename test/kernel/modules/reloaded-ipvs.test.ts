import { expect, test } from 'vitest';
import { isUnsupported } from '../../../pkg/errno/errno.ts';
import { loadModule } from '../../../pkg/ipvs/module.ts';
import { openIpvs } from '../../../pkg/ipvs/netlink.ts';
import { ip } from '../../support/addresses.ts';
import { stopAutoloading, unloadModule } from '../../support/modules.ts';
import { createNamespace } from '../../support/namespace.ts';
import { virtualServerOf } from '../../support/virtual-server.ts';

const virtualServer = virtualServerOf(ip('172.30.0.1'), { port: 443 });

// Elsewhere somebody else may need the module.
test.runIf(process.env['KERNEL_WHERE'] === 'vm')(
  'a module that was unloaded is missed, and found again under its new number',
  async () => {
    const namespace = createNamespace();
    const ipvs = openIpvs({ netns: namespace.path, loadModule });
    try {
      expect(ipvs.write([{ kind: 'addVirtualServer', virtualServer }])).toEqual([]);
      expect(ipvs.write([{ kind: 'deleteVirtualServer', virtualServer }])).toEqual([]);
      await unloadModule('ip_vs');
      // Asking for a family by its name makes the kernel load it.
      const startAutoloading = stopAutoloading();
      const [failure] = ipvs.write([{ kind: 'addVirtualServer', virtualServer }]);
      expect(failure?.error).toSatisfy(isUnsupported);
      expect(() => openIpvs()).toThrow(
        'open IPVS: EOPNOTSUPP (the kernel has no IPVS: load the module ip_vs (modprobe ip_vs)',
      );
      startAutoloading();
      loadModule('ip_vs');
      expect(ipvs.write([{ kind: 'addVirtualServer', virtualServer }])).toEqual([]);
      expect(ipvs.virtualServer(virtualServer)?.scheduler).toBe('rr');
    } finally {
      ipvs.close();
      namespace.remove();
    }
  },
);
