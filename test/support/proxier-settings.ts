import type { ProxierSettings } from '../../pkg/proxy/options.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip, net } from './addresses.ts';

/** How a proxier works in tests and benches, unless they say otherwise. */
export const proxierSettings: ProxierSettings = {
  nodeName: 'here',
  nodePortNetworks: [],
  families: ['IPv4', 'IPv6'],
  bindAddress: ip('0.0.0.0'),
  nodeIPPatience: 0,
  scheduler: 'rr',
  externalIPs: true,
  excluded: [],
  ruleSettings: {
    masqueradeMark: 0x4000,
    masqueradeAll: false,
    detectLocal: { mode: 'ClusterCIDR', networks: [net('10.0.0.0/8'), net('fd00:10::/32')] },
  },
  vipBinding: { mode: 'address', ranges: [], podNetworks: [] },
  drains: { mode: 'pod', timeout: minutes(15) },
  resetsWaitingClients: false,
  syncPeriod: seconds(30),
  minSyncPeriod: 0,
};
