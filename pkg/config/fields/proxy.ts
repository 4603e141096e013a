import { address, between, each, isPrefix, portRange } from '../checks.ts';
import { field, noEffect } from '../field.ts';
import { bool, gates, int32, strings, text } from '../value-types.ts';

const group = 'Proxy';

/** Words that stand for networks of the node; `primary` follows the Node object. */
export const nodeNetworks: Readonly<Record<string, readonly string[] | 'primary'>> = {
  primary: 'primary',
  localhost: ['127.0.0.0/8', '::1/128'],
  all: ['0.0.0.0/0', '::/0'],
};

/** Options of the proxier that do not depend on the mode. */
export const proxyFields = {
  mode: field(text, {
    flag: 'proxy-mode',
    group,
    help: 'How packets are balanced. This program knows ipvs only; empty means ipvs.',
    check: checkMode,
  }),
  bindAddress: field(text, {
    flag: 'bind-address',
    default: '0.0.0.0',
    zeroIsDefault: true,
    group,
    help: "Overrides the node's primary address; nothing is bound to it.",
    check: address,
  }),
  'iptables.masqueradeAll': field(bool, {
    flag: 'masquerade-all',
    group,
    help: 'Masquerade everything that is sent to a cluster IP.',
  }),
  'iptables.masqueradeBit': field(int32, {
    flag: 'iptables-masquerade-bit',
    default: 14,
    group,
    help: 'Bit of the packet mark that asks for masquerading, from 0 to 31.',
    check: between(0, 31),
  }),
  nodePortAddresses: field(strings, {
    flag: 'nodeport-addresses',
    group,
    help: 'Where node ports listen: networks, and the words primary, localhost and all. Empty, or without a network of a family, means all of it.',
    check: each('must be a valid CIDR, or primary, localhost or all', isNodeNetwork),
  }),
  featureGates: field(gates, {
    flag: 'feature-gates',
    group,
    help: 'Feature gates. Unknown ones are named in the log and have no effect.',
  }),
  portRange: field(text, {
    group,
    help: 'Ports of the userspace mode of long ago.',
    support: noEffect('no mode uses it any more'),
    check: portRange,
  }),
};

function checkMode(mode: string) {
  if (mode === '' || mode === 'ipvs') return [];
  if (isUpstreamMode(mode)) {
    const message = `this program knows ipvs only: set ipvs here, or run upstream's kube-proxy for ${mode}`;
    return [{ message }];
  }
  return [{ message: 'must be ipvs or blank' }];
}

/** Whether upstream's kube-proxy has a mode that this program does not have. */
export function isUpstreamMode(mode: string): boolean {
  return mode === 'iptables' || mode === 'nftables';
}

function isNodeNetwork(value: string): boolean {
  return Object.hasOwn(nodeNetworks, value) || isPrefix(value);
}
