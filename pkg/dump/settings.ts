/** The kernel modules whose state is dumped, besides that of the scheduler. */
export const dumpedModules: readonly string[] = [
  ...['ip_vs', 'ip_set', 'nf_conntrack', 'nf_conntrack_netlink', 'nf_tables', 'br_netfilter'],
  ...['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'dh', 'sh', 'sed', 'nq', 'fo', 'ovf', 'mh'].map(
    (scheduler) => `ip_vs_${scheduler}`,
  ),
];

/** The settings below /proc/sys that are dumped: those that the program sets, and those that decide about packets. */
const sysctls: readonly string[] = [
  'net/ipv4/ip_forward',
  'net/ipv6/conf/all/forwarding',
  ...['all', 'default'].flatMap((device) => [
    `net/ipv4/conf/${device}/rp_filter`,
    `net/ipv4/conf/${device}/arp_ignore`,
    `net/ipv4/conf/${device}/arp_announce`,
  ]),
  ...['call-iptables', 'call-ip6tables'].map((name) => `net/bridge/bridge-nf-${name}`),
  ...[
    'conntrack',
    'conn_reuse_mode',
    'expire_nodest_conn',
    'expire_quiescent_template',
    'run_estimation',
    'est_cpulist',
    'est_nice',
    'sloppy_tcp',
    'snat_reroute',
  ].map((name) => `net/ipv4/vs/${name}`),
  ...[
    'max',
    'count',
    'buckets',
    'tcp_timeout_established',
    'tcp_timeout_close_wait',
    'tcp_be_liberal',
    'udp_timeout',
    'udp_timeout_stream',
  ].map((name) => `net/netfilter/nf_conntrack_${name}`),
];

/** The files below /sys that are dumped. */
const files: readonly string[] = [
  'devices/system/cpu/online',
  'devices/system/cpu/isolated',
  'devices/system/cpu/nohz_full',
  'module/nf_conntrack/parameters/hashsize',
];

/** The paths of the settings below /proc/sys of a node with these devices. */
export function sysctlPaths(devices: readonly string[]): readonly string[] {
  return [...new Set([...sysctls, ...devices.map((name) => `net/ipv4/conf/${name}/rp_filter`)])];
}

/** The paths of the files below /sys of a node with these bridges. */
export function sysfsPaths(bridges: readonly string[]): readonly string[] {
  return [...files, ...bridges.map((name) => `class/net/${name}/bridge/nf_call_iptables`)];
}
