import { describe, expect, test } from 'vitest';
import { defaults, type Settings } from './fields.ts';
import { printViolation, validate } from './validate.ts';

function problems(change: Partial<Settings>): readonly string[] {
  return validate({ ...defaults, ...change }).map(printViolation);
}

describe('what is valid', () => {
  test.each<[string, Partial<Settings>]>([
    ['the defaults', {}],
    ['mode ipvs', { mode: 'ipvs' }],
    ['no health server', { healthzBindAddress: '' }],
    ['a server without a port', { healthzBindAddress: '::' }],
    ['an address with leading zeros', { bindAddress: '192.168.000.001' }],
    ['masquerade bit 0', { 'iptables.masqueradeBit': 0 }],
    ['masquerade bit 31', { 'iptables.masqueradeBit': 31 }],
    ['equal periods', { 'ipvs.syncPeriod': 5, 'ipvs.minSyncPeriod': 5 }],
    ['no drain timeout', { 'ipvs.drainTimeout': 0 }],
    ['drains by connections', { 'ipvs.gracefulTermination': 'connections' }],
    ['any scheduler', { 'ipvs.scheduler': 'nonsense' }],
    ['two cluster CIDRs', { clusterCIDR: '10.0.0.0/8, fd00:10::/64' }],
    ['cluster CIDRs that do not count', { clusterCIDR: 'x', detectLocalMode: 'NodeCIDR' }],
    [
      'a bridge',
      { detectLocalMode: 'BridgeInterface', 'detectLocal.bridgeInterface': 'br-1.2:a_b@c' },
    ],
    ['words for node ports', { nodePortAddresses: ['primary', '10.0.0.0/8', 'localhost', 'all'] }],
    ['the previous release', { showHiddenMetricsForVersion: '1.36' }],
    ['no conntrack', { 'conntrack.maxPerCore': 0, 'conntrack.min': 0 }],
    ['the lowest score', { oomScoreAdj: -1000 }],
    ['the highest score', { oomScoreAdj: 1000 }],
    ['any feature gate', { featureGates: { IPv6DualStack: true } }],
    ['periods of other modes', { 'iptables.syncPeriod': 0, 'nftables.minSyncPeriod': -1 }],
    ['one port', { portRange: '300' }],
    ['a port range', { portRange: '300-2000' }],
    ['a port and a count', { portRange: '300+10' }],
    ['JSON', { 'logging.format': 'json' }],
    ['vmodule', { 'logging.vmodule': [{ filePattern: 'proxy', verbosity: 4 }] }],
  ])('%s', (_, change) => expect(problems(change)).toEqual([]));
});

describe('what is not', () => {
  const notNegative = 'must be greater than or equal to 0';
  const positive = 'must be greater than 0';
  const bit = 'must be within the range [0, 31]';
  const score = 'must be within the range [-1000, 1000]';
  const word = 'must be a valid CIDR, or primary, localhost or all';
  const range = 'must be a valid port range (e.g. 300-2000)';
  const release = 'must be omitted or have the value 1.36';
  const other = (mode: string) =>
    `this program knows ipvs only: set ipvs here, or run upstream's kube-proxy for ${mode}`;
  const modes = 'ClusterCIDR, NodeCIDR, BridgeInterface, InterfaceNamePrefix';
  test.each<[Partial<Settings>, string, string]>([
    [{ hostnameOverride: '  ' }, 'hostnameOverride "  "', 'must not be blank'],
    [{ 'clientConnection.burst': -1 }, 'clientConnection.burst "-1"', notNegative],
    [{ configSyncPeriod: 0 }, 'configSyncPeriod "0s"', positive],
    [
      { bindAddress: 'eth0' },
      'bindAddress "eth0"',
      'not a valid textual representation of an IP address',
    ],
    [{ healthzBindAddress: 'no' }, 'healthzBindAddress "no"', 'must be IP:port'],
    [{ healthzBindAddress: 'a:1' }, 'healthzBindAddress "a:1"', 'must be a valid IP'],
    [{ metricsBindAddress: '::1:' }, 'metricsBindAddress "::1:"', 'must be a valid port'],
    [{ metricsBindAddress: '1.1.1.1:0' }, 'metricsBindAddress "1.1.1.1:0"', 'must be a valid port'],
    [{ metricsBindAddress: '' }, 'metricsBindAddress ""', 'must be IP:port'],
    [{ mode: 'iptables' }, 'mode "iptables"', other('iptables')],
    [{ mode: 'nftables' }, 'mode "nftables"', other('nftables')],
    [{ mode: 'IPVS' }, 'mode "IPVS"', 'must be ipvs or blank'],
    [{ 'iptables.masqueradeBit': 32 }, 'iptables.masqueradeBit "32"', bit],
    [{ 'iptables.masqueradeBit': -1 }, 'iptables.masqueradeBit "-1"', bit],
    [{ 'ipvs.syncPeriod': 0, 'ipvs.minSyncPeriod': 0 }, 'ipvs.syncPeriod "0s"', positive],
    [{ 'ipvs.minSyncPeriod': -1000 }, 'ipvs.minSyncPeriod "-1s"', notNegative],
    [
      { 'ipvs.minSyncPeriod': 31_000 },
      'ipvs.syncPeriod "30s"',
      'must be greater than or equal to KubeProxyConfiguration.ipvs.minSyncPeriod, 31s',
    ],
    [{ 'ipvs.tcpTimeout': -1 }, 'ipvs.tcpTimeout "-1ms"', notNegative],
    [{ 'ipvs.tcpFinTimeout': -1 }, 'ipvs.tcpFinTimeout "-1ms"', notNegative],
    [{ 'ipvs.udpTimeout': -1 }, 'ipvs.udpTimeout "-1ms"', notNegative],
    [
      { 'ipvs.gracefulTermination': 'never' },
      'ipvs.gracefulTermination "never"',
      'must be pod or connections',
    ],
    [{ 'ipvs.drainTimeout': -1 }, 'ipvs.drainTimeout "-1ms"', notNegative],
    [{ 'ipvs.estimation': 'no' }, 'ipvs.estimation "no"', 'must be auto, on or off'],
    [
      { 'ipvs.excludeCIDRs': ['10.0.0.0/8', '10.0.0.1'] },
      'ipvs.excludeCIDRs[1] "10.0.0.1"',
      'must be a valid CIDR',
    ],
    [{ 'ipvs.vipBinding': 'routes' }, 'ipvs.vipBinding "routes"', 'must be address or route'],
    ...['10.96.0.0', '10.96.0.1/12', '0.0.0.0/0', '10.0.0.1/32', '127.0.0.0/8', 'fd00::/7'].map(
      (text): [Partial<Settings>, string, string] => [
        { 'ipvs.serviceClusterIPRange': ['198.18.0.0/16', text] },
        `ipvs.serviceClusterIPRange[1] "${text}"`,
        'must be a CIDR from /8 on, with several addresses and without bits of a host',
      ],
    ),
    [
      { 'ipvs.serviceClusterIPRange': ['10.96.0.0/12', '10.100.0.0/16'] },
      'ipvs.serviceClusterIPRange[1] "10.100.0.0/16"',
      'overlaps 10.96.0.0/12',
    ],
    [
      { 'ipvs.serviceClusterIPRange': ['10.0.0.0/8'], clusterCIDR: '10.244.0.0/16,fd00::/64' },
      'ipvs.serviceClusterIPRange[0] "10.0.0.0/8"',
      'overlaps clusterCIDR 10.244.0.0/16',
    ],
    [{ nodePortAddresses: ['Primary'] }, 'nodePortAddresses[0] "Primary"', word],
    [{ nodePortAddresses: ['all', '::1'] }, 'nodePortAddresses[1] "::1"', word],
    [{ detectLocalMode: 'Guess' }, 'detectLocalMode "Guess"', `must be one of ${modes} or blank`],
    [{ detectLocalMode: 'BridgeInterface' }, 'detectLocal.bridgeInterface ""', 'must not be empty'],
    [
      { detectLocalMode: 'InterfaceNamePrefix' },
      'detectLocal.interfaceNamePrefix ""',
      'must not be empty',
    ],
    [
      { detectLocalMode: 'BridgeInterface', 'detectLocal.bridgeInterface': 'a -j DROP' },
      'detectLocal.bridgeInterface "a -j DROP"',
      'must be the name of an interface, 15 letters, digits or .:_@- at most',
    ],
    [{ oomScoreAdj: -1001 }, 'oomScoreAdj "-1001"', score],
    [{ oomScoreAdj: 1001 }, 'oomScoreAdj "1001"', score],
    [{ 'conntrack.maxPerCore': -1 }, 'conntrack.maxPerCore "-1"', notNegative],
    [{ 'conntrack.min': -1 }, 'conntrack.min "-1"', notNegative],
    [
      { 'conntrack.tcpEstablishedTimeout': -1 },
      'conntrack.tcpEstablishedTimeout "-1ms"',
      notNegative,
    ],
    [{ 'conntrack.tcpCloseWaitTimeout': -1 }, 'conntrack.tcpCloseWaitTimeout "-1ms"', notNegative],
    [{ 'conntrack.udpTimeout': -1 }, 'conntrack.udpTimeout "-1ms"', notNegative],
    [{ 'conntrack.udpStreamTimeout': -1 }, 'conntrack.udpStreamTimeout "-1ms"', notNegative],
    [{ portRange: '2000-300' }, 'portRange "2000-300"', range],
    [{ portRange: '300-70000' }, 'portRange "300-70000"', range],
    [{ portRange: 'x' }, 'portRange "x"', range],
    [{ showHiddenMetricsForVersion: '1.35' }, 'showHiddenMetricsForVersion "1.35"', release],
    [{ 'logging.verbosity': -1 }, 'logging.verbosity "-1"', notNegative],
    [{ 'logging.format': 'xml' }, 'logging.format "xml"', 'must be text or json'],
    [{ 'logging.flushFrequency': 0 }, 'logging.flushFrequency "0s"', positive],
    [
      { 'logging.format': 'json', 'logging.vmodule': [{ filePattern: 'a', verbosity: 1 }] },
      'logging.vmodule "a=1"',
      'only supported for the text format',
    ],
  ])('%j', (change, what, message) => {
    const [field = '', value] = what.split(/ (?=".*"$)/);
    expect(problems(change)).toEqual([
      `KubeProxyConfiguration.${field}: Invalid value: ${value}: ${message}`,
    ]);
  });

  test.each<[Partial<Settings>, string]>([
    [{ '--stderrthreshold': 'x' }, '"x": must be a number or one of INFO, WARNING, ERROR, FATAL'],
    [{ '--log-backtrace-at': 'x' }, '"x": must be file:N'],
    [{ '--log-file-max-size': -1 }, '"-1": must be greater than or equal to 0'],
  ])('on the command line alone: %j', (change, message) =>
    expect(problems(change)).toEqual([`Invalid value: ${message}`]),
  );

  test.each(['10.0.0.0', '10.0.0.0/8,', '10.0.0.0/8,172.16.0.0/12', 'fd00::/64,10.0.0.0/8,::/0'])(
    'clusterCIDR %s',
    (clusterCIDR) => expect(problems({ clusterCIDR })).toHaveLength(1),
  );

  test('everything together', () => {
    expect(
      problems({ bindAddress: '', mode: 'x', clusterCIDR: 'y', oomScoreAdj: 2e3 }),
    ).toHaveLength(4);
  });
});
