import { describe, expect, test } from 'vitest';
import { type Configuration, defaults } from './types.ts';
import { printViolation, validate } from './validate.ts';

type Change = (configuration: Configuration) => Partial<Configuration>;

function problems(change: Change): readonly string[] {
  return validate({ ...defaults, ...change(defaults) }).map(printViolation);
}

describe('what is valid', () => {
  const rows: [string, Change][] = [
    ['the defaults', () => ({})],
    ['mode ipvs', () => ({ mode: 'ipvs' })],
    ['no servers', () => ({ healthzBindAddress: '', metricsBindAddress: '' })],
    ['a server without a port', () => ({ healthzBindAddress: '::' })],
    ['an address with leading zeros', () => ({ bindAddress: '192.168.000.001' })],
    ['masquerade bits 0', ({ iptables }) => ({ iptables: { ...iptables, masqueradeBit: 0 } })],
    ['masquerade bits 31', ({ iptables }) => ({ iptables: { ...iptables, masqueradeBit: 31 } })],
    ['equal periods', ({ ipvs }) => ({ ipvs: { ...ipvs, syncPeriod: 5, minSyncPeriod: 5 } })],
    ['no drain timeout', ({ ipvs }) => ({ ipvs: { ...ipvs, drainTimeout: 0 } })],
    [
      'drains by connections',
      ({ ipvs }) => ({ ipvs: { ...ipvs, gracefulTermination: 'connections' } }),
    ],
    ['any scheduler', ({ ipvs }) => ({ ipvs: { ...ipvs, scheduler: 'nonsense' } })],
    ['two cluster CIDRs', () => ({ clusterCIDR: '10.0.0.0/8, fd00:10::/64' })],
    [
      'cluster CIDRs that are not looked at',
      () => ({ clusterCIDR: 'x', detectLocalMode: 'NodeCIDR' }),
    ],
    [
      'a bridge',
      () => ({
        detectLocalMode: 'BridgeInterface',
        detectLocal: { bridgeInterface: 'br-1.2:a_b@c', interfaceNamePrefix: '' },
      }),
    ],
  ];
  test.each(rows)('%s', (_, change) => expect(problems(change)).toEqual([]));
});

describe('what is not', () => {
  const rows: [Change, string][] = [
    [
      () => ({ hostnameOverride: '  ' }),
      'hostnameOverride: Invalid value: "  ": must not be blank',
    ],
    [
      () => ({ bindAddress: 'eth0' }),
      'bindAddress: Invalid value: "eth0": not a valid textual representation of an IP address',
    ],
    [
      () => ({ healthzBindAddress: 'nonsense' }),
      'healthzBindAddress: Invalid value: "nonsense": must be IP:port',
    ],
    [
      () => ({ healthzBindAddress: 'localhost:1' }),
      'healthzBindAddress: Invalid value: "localhost:1": must be a valid IP',
    ],
    [
      () => ({ metricsBindAddress: '0.0.0.0:70000' }),
      'metricsBindAddress: Invalid value: "0.0.0.0:70000": must be a valid port',
    ],
    [
      () => ({ mode: 'iptables' }),
      'mode: Invalid value: "iptables": this program knows mode ipvs only',
    ],
    [
      () => ({ mode: 'nftables' }),
      'mode: Invalid value: "nftables": this program knows mode ipvs only',
    ],
    [() => ({ mode: 'IPVS' }), 'mode: Invalid value: "IPVS": must be ipvs or blank'],
    [
      ({ iptables }) => ({ iptables: { ...iptables, masqueradeBit: 32 } }),
      'iptables.masqueradeBit: Invalid value: "32": must be within the range [0, 31]',
    ],
    [
      ({ iptables }) => ({ iptables: { ...iptables, masqueradeBit: -1 } }),
      'iptables.masqueradeBit: Invalid value: "-1": must be within the range [0, 31]',
    ],
    [
      ({ ipvs }) => ({ ipvs: { ...ipvs, syncPeriod: 0 } }),
      'ipvs.syncPeriod: Invalid value: "0s": must be greater than 0',
    ],
    [
      ({ ipvs }) => ({ ipvs: { ...ipvs, minSyncPeriod: -1000 } }),
      'ipvs.minSyncPeriod: Invalid value: "-1s": must be greater than or equal to 0',
    ],
    [
      ({ ipvs }) => ({ ipvs: { ...ipvs, minSyncPeriod: 31_000 } }),
      'ipvs.minSyncPeriod: Invalid value: "31s": must not be greater than ipvs.syncPeriod, 30s',
    ],
    [
      ({ ipvs }) => ({ ipvs: { ...ipvs, gracefulTermination: 'never' } }),
      'ipvs.gracefulTermination: Invalid value: "never": must be pod or connections',
    ],
    [
      ({ ipvs }) => ({ ipvs: { ...ipvs, gracefulTermination: '' } }),
      'ipvs.gracefulTermination: Invalid value: "": must be pod or connections',
    ],
    [
      ({ ipvs }) => ({ ipvs: { ...ipvs, drainTimeout: -1 } }),
      'ipvs.drainTimeout: Invalid value: "-1ms": must be greater than or equal to 0',
    ],
    [
      ({ ipvs }) => ({ ipvs: { ...ipvs, excludeCIDRs: ['10.0.0.0/8', '10.0.0.1'] } }),
      'ipvs.excludeCIDRs[1]: Invalid value: "10.0.0.1": must be a valid CIDR',
    ],
    [
      () => ({ detectLocalMode: 'Guess' }),
      'detectLocalMode: Invalid value: "Guess": must be one of ClusterCIDR, NodeCIDR, BridgeInterface, InterfaceNamePrefix or blank',
    ],
    [
      () => ({ detectLocalMode: 'BridgeInterface' }),
      'detectLocal.bridgeInterface: Invalid value: "": must not be empty',
    ],
    [
      () => ({ detectLocalMode: 'InterfaceNamePrefix' }),
      'detectLocal.interfaceNamePrefix: Invalid value: "": must not be empty',
    ],
    [
      () => ({
        detectLocalMode: 'BridgeInterface',
        detectLocal: { bridgeInterface: 'a -j DROP', interfaceNamePrefix: '' },
      }),
      'detectLocal.bridgeInterface: Invalid value: "a -j DROP": must be the name of an interface, 15 letters, digits or .:_@- at most',
    ],
    [
      () => ({ logging: { verbosity: -1 } }),
      'logging.verbosity: Invalid value: "-1": must be greater than or equal to 0',
    ],
  ];
  test.each(rows)('%s', (change, message) => {
    expect(problems(change)).toEqual([`KubeProxyConfiguration.${message}`]);
  });

  test.each(['10.0.0.0', '10.0.0.0/8,', '10.0.0.0/8,172.16.0.0/12', 'fd00::/64,10.0.0.0/8,::/0'])(
    'clusterCIDR %s',
    (clusterCIDR) => expect(problems(() => ({ clusterCIDR }))).toHaveLength(1),
  );

  test('everything together', () => {
    expect(problems(() => ({ bindAddress: '', mode: 'x', clusterCIDR: 'y' }))).toHaveLength(3);
  });
});
