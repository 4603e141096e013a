import { field, noEffect } from '../field.ts';
import { bool, duration, int32, text } from '../value-types.ts';

const group = 'Other modes';
const support = noEffect('it belongs to another mode');

/** Options of upstream's other modes. Their values are not checked in mode ipvs. */
export const otherModesFields = {
  'iptables.localhostNodePorts': field(bool, {
    flag: 'iptables-localhost-nodeports',
    default: true,
    group,
    help: 'Let node ports be reached over loopback.',
    support,
  }),
  'iptables.syncPeriod': field(duration, {
    flag: 'iptables-sync-period',
    default: 30_000,
    zeroIsDefault: true,
    group,
    help: 'Longest time between two syncs.',
    support,
  }),
  'iptables.minSyncPeriod': field(duration, {
    flag: 'iptables-min-sync-period',
    default: 1_000,
    zeroIsDefault: true,
    group,
    help: 'Shortest time between two syncs.',
    support,
  }),
  'nftables.masqueradeBit': field(int32, {
    default: 14,
    group,
    help: 'Bit of the packet mark.',
    support,
  }),
  'nftables.masqueradeAll': field(bool, { group, help: 'Masquerade everything.', support }),
  'nftables.syncPeriod': field(duration, {
    default: 30_000,
    zeroIsDefault: true,
    group,
    help: 'Longest time between two syncs.',
    support,
  }),
  'nftables.minSyncPeriod': field(duration, {
    default: 1_000,
    zeroIsDefault: true,
    group,
    help: 'Shortest time between two syncs.',
    support,
  }),
  'winkernel.networkName': field(text, { group, help: 'Network of Windows.', support }),
  'winkernel.sourceVip': field(text, { group, help: 'Source address of Windows.', support }),
  'winkernel.enableDSR': field(bool, { group, help: 'Direct return on Windows.', support }),
  'winkernel.rootHnsEndpointName': field(text, { group, help: 'Endpoint of Windows.', support }),
  'winkernel.forwardHealthCheckVip': field(bool, {
    group,
    help: 'Health checks of Windows.',
    support,
  }),
};
