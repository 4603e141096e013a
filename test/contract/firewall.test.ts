import { FakeFirewall } from '../../pkg/firewall/fake.ts';
import { firewallContract, firewallLockContract, type LockedFirewallHarness } from './firewall.ts';

async function make(): Promise<LockedFirewallHarness> {
  const sets = new Set<string>();
  const firewall = new FakeFirewall({ hasSet: (name) => sets.has(name) });
  return {
    firewall,
    dump: async (family) => firewall.dump(family),
    flushChain: async (family, chain) => firewall.flushChain(family, chain),
    removeRule: async (family, where) => firewall.removeRule(family, where),
    insertRule: async (family, where) => firewall.insertRule(family, where),
    createSet: async (_, name) => void sets.add(name),
    holdLock: async () => {
      firewall.isLocked = true;
      return () => {
        firewall.isLocked = false;
      };
    },
  };
}

firewallContract('the fake firewall', make);
firewallLockContract('the fake firewall', make);
