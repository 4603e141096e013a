import { describe, expect, test } from 'vitest';
import { parsePrefix, printPrefix } from '../ip/prefix.ts';
import { effective } from './effective.ts';
import { defaults, type Settings } from './fields.ts';
import { parseListenAddress } from './listen-address.ts';
import type { ProxyConfig } from './types.ts';

const protobuf = 'application/vnd.kubernetes.protobuf';

test('the defaults', () => {
  expect(effective(defaults, 'Node-1')).toEqual({
    settings: defaults,
    nodeName: 'node-1',
    source: { type: 'api', kubeconfig: '', master: '', contentTypes: protobuf },
    bindAddress: '0.0.0.0',
    nodePortAddresses: [],
    healthz: { address: '0.0.0.0', port: 10_256 },
    metrics: { address: '127.0.0.1', port: 10_249 },
    bindAddressHardFail: false,
    scheduler: 'rr',
    excludeCIDRs: [],
    strictARP: false,
    vipBinding: 'address',
    serviceClusterIPRange: [],
    syncPeriod: 30_000,
    minSyncPeriod: 0,
    ipvsTimeouts: { tcp: 0, tcpFin: 0, udp: 0 },
    drainMode: 'pod',
    drainTimeout: 900_000,
    resetWaitingClients: true,
    restoreSysctls: true,
    estimation: 'auto',
    serviceAnnotations: false,
    externalIPs: true,
    serviceMetrics: false,
    statusPage: false,
    masqueradeAll: false,
    masqueradeBit: 14,
    detectLocal: { mode: 'ClusterCIDR', cidrs: [] },
    conntrack: {
      maxPerCore: 32_768,
      min: 131_072,
      tcpEstablishedTimeout: 86_400_000,
      tcpCloseWaitTimeout: 3_600_000,
      tcpBeLiberal: false,
      udpTimeout: 0,
      udpStreamTimeout: 0,
    },
    oomScoreAdj: -999,
  });
});

test('node ports are where networks say, and the words for some', () => {
  const nodePortAddresses = ['primary', '10.1.2.3/8', 'localhost', 'all'];
  const { nodePortAddresses: made } = effective({ ...defaults, nodePortAddresses }, 'node');
  expect(made.map((one) => (one === 'primary' ? one : printPrefix(one)))).toEqual([
    ...['primary', '10.0.0.0/8', '127.0.0.0/8', '::1/128', '0.0.0.0/0', '::/0'],
  ]);
});

describe('what is made of', () => {
  const interfaces = {
    'detectLocal.bridgeInterface': 'cbr0',
    'detectLocal.interfaceNamePrefix': 'cali',
  };
  const conntrack = {
    maxPerCore: 1,
    min: 2,
    tcpEstablishedTimeout: 3,
    tcpCloseWaitTimeout: 4,
    tcpBeLiberal: true,
    udpTimeout: 5,
    udpStreamTimeout: 6,
  };
  test.each<[string, Partial<Settings>, Partial<ProxyConfig>]>([
    [
      'no external IPs',
      { featureGates: { AllowServiceExternalIPs: false } },
      { externalIPs: false },
    ],
    ['a name in capitals with blanks', { hostnameOverride: ' Worker ' }, { nodeName: 'worker' }],
    ['no health server', { healthzBindAddress: '' }, { healthz: undefined }],
    ['a scheduler', { 'ipvs.scheduler': 'sh' }, { scheduler: 'sh' }],
    ['strict ARP', { 'ipvs.strictARP': true }, { strictARP: true }],
    ['hard failures', { bindAddressHardFail: true }, { bindAddressHardFail: true }],
    [
      'timeouts, in whole seconds',
      { 'ipvs.tcpTimeout': 900_999, 'ipvs.tcpFinTimeout': 999, 'ipvs.udpTimeout': 10_000 },
      { ipvsTimeouts: { tcp: 900, tcpFin: 0, udp: 10 } },
    ],
    [
      'what is said of drains',
      {
        'ipvs.gracefulTermination': 'connections',
        'ipvs.drainTimeout': 0,
        'ipvs.resetWaitingClients': false,
        'ipvs.restoreSysctls': false,
        'ipvs.estimation': 'off',
        'ipvs.serviceAnnotations': true,
      },
      {
        drainMode: 'connections',
        drainTimeout: 0,
        resetWaitingClients: false,
        restoreSysctls: false,
        estimation: 'off',
        serviceAnnotations: true,
      },
    ],
    [
      'excluded networks',
      { 'ipvs.excludeCIDRs': ['172.30.1.2/16'] },
      { excludeCIDRs: [parsePrefix('172.30.0.0/16')!] },
    ],
    [
      'manifests beside a kubeconfig',
      { '--master': 'https://m', 'ipvs.manifests': '/m' },
      { source: { type: 'manifests', path: '/m' } },
    ],
    [
      'the API',
      { '--master': 'https://m', 'clientConnection.kubeconfig': '/k' },
      { source: { type: 'api', kubeconfig: '/k', master: 'https://m', contentTypes: protobuf } },
    ],
    [
      'the API in JSON',
      { 'clientConnection.contentType': 'application/json' },
      { source: { type: 'api', kubeconfig: '', master: '', contentTypes: 'application/json' } },
    ],
    [
      'content types of answers before that of requests',
      { 'clientConnection.acceptContentTypes': 'application/json' },
      { source: { type: 'api', kubeconfig: '', master: '', contentTypes: 'application/json' } },
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
      { detectLocalMode: 'BridgeInterface', ...interfaces },
      { detectLocal: { mode: 'BridgeInterface', interfaceName: 'cbr0' } },
    ],
    [
      'InterfaceNamePrefix',
      { detectLocalMode: 'InterfaceNamePrefix', ...interfaces },
      { detectLocal: { mode: 'InterfaceNamePrefix', prefix: 'cali' } },
    ],
    [
      'conntrack',
      Object.fromEntries(
        Object.entries(conntrack).map(([key, value]) => [`conntrack.${key}`, value]),
      ),
      { conntrack },
    ],
  ])('%s', (_, change, result) => {
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
