import { expect, test } from 'vitest';
import { configz } from './configz.ts';
import { effective } from './effective.ts';
import { defaults } from './types.ts';

test('the configuration in force has the names that upstream gives it', () => {
  const configuration = {
    ...defaults,
    master: 'https://m',
    clusterCIDR: '10.0.0.0/8,fd00:10::/32',
    metricsBindAddress: '',
    ipvs: {
      ...defaults.ipvs,
      excludeCIDRs: ['172.30.0.0/16'],
      minSyncPeriod: 1_500,
      drainTimeout: 90_000,
    },
  };
  expect(configz(effective(configuration, 'node-1'))).toEqual({
    'kubeproxy.config.k8s.io': {
      ClientConnection: { Kubeconfig: '' },
      Logging: { Verbosity: 0 },
      HostnameOverride: 'node-1',
      BindAddress: '0.0.0.0',
      HealthzBindAddress: '0.0.0.0:10256',
      MetricsBindAddress: '',
      Mode: 'ipvs',
      IPTables: { MasqueradeBit: 14 },
      IPVS: {
        Scheduler: 'rr',
        ExcludeCIDRs: ['172.30.0.0/16'],
        Manifests: '',
        GracefulTermination: 'pod',
        DrainTimeout: '1m30s',
        ResetWaitingClients: true,
        RestoreSysctls: true,
        ServiceAnnotations: false,
      },
      Linux: { MasqueradeAll: false },
      SyncPeriod: '30s',
      MinSyncPeriod: '1.5s',
      DetectLocalMode: 'ClusterCIDR',
      DetectLocal: {
        BridgeInterface: '',
        ClusterCIDRs: ['10.0.0.0/8', 'fd00:10::/32'],
        InterfaceNamePrefix: '',
      },
    },
  });
});

test('it shows where objects come from and what tells pods', () => {
  const configuration = {
    ...defaults,
    detectLocalMode: 'InterfaceNamePrefix',
    detectLocal: { bridgeInterface: 'cbr0', interfaceNamePrefix: 'cali' },
    ipvs: { ...defaults.ipvs, manifests: '/m' },
  };
  expect(configz(effective(configuration, 'node-1'))).toMatchObject({
    'kubeproxy.config.k8s.io': {
      IPVS: { Manifests: '/m' },
      DetectLocal: { BridgeInterface: '', ClusterCIDRs: [], InterfaceNamePrefix: 'cali' },
    },
  });
});
