import { describe, expect, test } from 'vitest';
import { parsePrefix } from '../ip/prefix.ts';
import { effective } from './effective.ts';
import { parseListenAddress } from './listen-address.ts';
import { type Configuration, defaults, type ProxyConfig } from './types.ts';

test('the defaults', () => {
  expect(effective(defaults, 'Node-1')).toEqual({
    nodeName: 'node-1',
    source: { type: 'api', kubeconfig: '', master: '' },
    bindAddress: '0.0.0.0',
    healthz: { address: '0.0.0.0', port: 10_256 },
    metrics: { address: '127.0.0.1', port: 10_249 },
    scheduler: 'rr',
    excludeCIDRs: [],
    syncPeriod: 30_000,
    minSyncPeriod: 0,
    drainMode: 'pod',
    drainTimeout: 900_000,
    resetWaitingClients: true,
    restoreSysctls: true,
    serviceAnnotations: false,
    masqueradeAll: false,
    masqueradeBit: 14,
    detectLocal: { mode: 'ClusterCIDR', cidrs: [] },
    verbosity: 0,
    warnings: ['no proxy mode given; using ipvs, the only one there is'],
  });
});

describe('what is made of', () => {
  const { ipvs } = defaults;
  const detectLocal = { bridgeInterface: 'cbr0', interfaceNamePrefix: 'cali' };
  const rows: [string, Partial<Configuration>, Partial<ProxyConfig>][] = [
    ['a name in capitals with blanks', { hostnameOverride: ' Worker ' }, { nodeName: 'worker' }],
    ['mode ipvs', { mode: 'ipvs' }, { warnings: [] }],
    [
      'no servers',
      { healthzBindAddress: '', metricsBindAddress: '' },
      { healthz: undefined, metrics: undefined },
    ],
    ['a scheduler', { ipvs: { ...ipvs, scheduler: 'sh' } }, { scheduler: 'sh' }],
    [
      'what is said of drains',
      {
        ipvs: {
          ...ipvs,
          gracefulTermination: 'connections',
          drainTimeout: 0,
          resetWaitingClients: false,
          restoreSysctls: false,
          serviceAnnotations: true,
        },
      },
      {
        drainMode: 'connections',
        drainTimeout: 0,
        resetWaitingClients: false,
        restoreSysctls: false,
        serviceAnnotations: true,
      },
    ],
    [
      'excluded networks',
      { ipvs: { ...ipvs, excludeCIDRs: ['172.30.1.2/16'] } },
      { excludeCIDRs: [parsePrefix('172.30.0.0/16')!] },
    ],
    [
      'manifests beside a kubeconfig',
      { mode: 'ipvs', master: 'https://m', ipvs: { ...ipvs, manifests: '/m' } },
      {
        source: { type: 'manifests', path: '/m' },
        warnings: ['objects come from the manifests; kubeconfig and master are not used'],
      },
    ],
    [
      'two cluster CIDRs',
      { clusterCIDR: '10.0.0.0/8, fd00:10::/32' },
      {
        detectLocal: {
          mode: 'ClusterCIDR',
          cidrs: [parsePrefix('10.0.0.0/8')!, parsePrefix('fd00:10::/32')!],
        },
      },
    ],
    ['NodeCIDR', { detectLocalMode: 'NodeCIDR' }, { detectLocal: { mode: 'NodeCIDR' } }],
    [
      'BridgeInterface',
      { detectLocalMode: 'BridgeInterface', detectLocal },
      { detectLocal: { mode: 'BridgeInterface', interfaceName: 'cbr0' } },
    ],
    [
      'InterfaceNamePrefix',
      { detectLocalMode: 'InterfaceNamePrefix', detectLocal },
      { detectLocal: { mode: 'InterfaceNamePrefix', prefix: 'cali' } },
    ],
  ];
  test.each(rows)('%s', (_, change, result) => {
    expect(effective({ ...defaults, ...change }, 'host')).toMatchObject(result);
  });
  test('a machine without a name', () => {
    expect(() => effective(defaults, ' ')).toThrow('--hostname-override');
  });
});

describe('where to listen', () => {
  test.each([
    ['192.168.0.1:80', { address: '192.168.0.1', port: 80 }],
    ['192.168.0.1', { address: '192.168.0.1', port: 7 }],
    ['[::]:80', { address: '::', port: 80 }],
    ['fd00::1', { address: 'fd00::1', port: 7 }],
    [':80', { address: '0.0.0.0', port: 80 }],
  ])('%s', (text, address) => expect(parseListenAddress(text, 7)).toEqual({ address }));
  test.each([
    '',
    '[::]',
    '::1:80:',
    '1.2.3.4:',
    '1.2.3.4:0',
    '1.2.3.4:65536',
    '1.2.3.4:x',
    '[]:80',
    'a:80',
  ])('not "%s"', (text) => expect(parseListenAddress(text, 7)).toHaveProperty('problem'));
});
