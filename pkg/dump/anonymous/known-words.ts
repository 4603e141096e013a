/** The chains and targets that iptables has by itself. */
export const builtinChains: ReadonlySet<string> = new Set([
  ...['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  ...['ACCEPT', 'DROP', 'RETURN', 'REJECT', 'QUEUE', 'MASQUERADE', 'SNAT', 'DNAT', 'REDIRECT'],
  ...['MARK', 'CONNMARK', 'LOG', 'NFLOG', 'NFQUEUE', 'TRACE', 'NOTRACK', 'CT', 'TCPMSS', 'TPROXY'],
  ...['CHECKSUM', 'CLASSIFY', 'DSCP', 'TOS', 'TTL', 'HL', 'SET', 'NETMAP', 'TEE', 'AUDIT'],
]);

/** The options of rules whose values name nothing, without their dashes. */
export const plainOptions: ReadonlySet<string> = new Set([
  ...['p', 'm', 'f', 'dport', 'sport', 'dports', 'sports', 'ports', 'syn', 'tcp-flags'],
  ...['mark', 'set-xmark', 'set-mark', 'or-mark', 'and-mark', 'xor-mark', 'nfmask', 'ctmask'],
  ...['save-mark', 'restore-mark', 'mask', 'ctstate', 'state', 'ctstatus', 'ctdir', 'ctproto'],
  ...['dst-type', 'src-type', 'limit-iface-in', 'limit-iface-out', 'limit', 'limit-burst'],
  ...['mode', 'probability', 'every', 'packet', 'random-fully', 'random', 'persistent'],
  ...['reject-with', 'to-ports', 'icmp-type', 'icmpv6-type', 'ipvs', 'vproto', 'vport', 'vdir'],
  ...['vmethod', 'physdev-is-in', 'physdev-is-out', 'physdev-is-bridged', 'return-nomatch'],
  ...['zone', 'zone-orig', 'zone-reply', 'notrack', 'clamp-mss-to-pmtu', 'set-mss', 'log-level'],
  ...['hitcount', 'seconds', 'rcheck', 'update', 'set', 'rsource', 'rdest', 'ttl-eq', 'ttl-lt'],
  ...['ttl-gt', 'hl-eq', 'hl-lt', 'hl-gt', 'queue-num', 'queue-balance', 'queue-bypass'],
  ...['pkt-type', 'length', 'dscp', 'set-dscp', 'tos', 'checksum-fill', 'nflog-group'],
  ...['connlimit-above', 'connlimit-upto', 'connlimit-mask', 'connlimit-saddr', 'connbytes'],
  ...['connbytes-dir', 'connbytes-mode', 'transparent', 'nowildcard', 'restore-skmark'],
]);

/** The options of rules whose values are addresses, networks or ranges of them. */
export const addressOptions: ReadonlySet<string> = new Set([
  ...['s', 'd', 'src-range', 'dst-range', 'to-destination', 'to-source', 'to', 'vaddr', 'on-ip'],
  ...['ctorigsrc', 'ctorigdst', 'ctreplsrc', 'ctrepldst', 'gateway'],
]);

/** The options of rules whose values are devices. */
export const deviceOptions: ReadonlySet<string> = new Set(['i', 'o', 'physdev-in', 'physdev-out']);

/** The words of the comments that kube-proxy of any mode and kubelet write, besides names and addresses. */
export const commentWords: ReadonlySet<string> = new Set(
  `kubernetes Kubernetes kube-proxy service services portals portal externally-visible postrouting forwarding rules rule
  health check ports port load balancer loadbalancer lb firewall ipvs access filter conntrack traffic requiring SNAT for and on in
  the this last chain must be NOTE: nodeports; nodeport node endpoints dst ip:port, source ip solving hairpin purpose cluster
  + external masquerade with externalTrafficPolicy=local sourceRange IP packet cidr TCP UDP SCTP type 'hash ip:port' Addresses
  interface destinations has no local endpoints -> block incoming localnet connections pods route of pod from`
    .split(/\s+/)
    .filter((word) => word !== ''),
);

/** The first parts of the names of devices that say what kind they are and no more. */
export const deviceStems: readonly string[] = [
  ...['eth', 'ens', 'eno', 'enp', 'wlan', 'bond', 'team', 'vlan', 'br', 'virbr', 'docker', 'cni'],
  ...['veth', 'cali', 'lxc', 'tap', 'tun', 'tunl', 'vxlan', 'flannel', 'weave', 'cilium', 'dummy'],
  ...['azv', 'eni', 'gke', 'vnet', 'wg', 'gre', 'sit', 'ip6tnl', 'kube-bridge', 'kube-dummy-if'],
];

/** Devices that every node has, or that kube-proxy and what comes with Kubernetes make. */
export const knownDevices: ReadonlySet<string> = new Set([
  ...['lo', 'kube-ipvs0', 'nodelocaldns', 'kube-bridge', 'kube-dummy-if', 'all', 'default'],
]);
