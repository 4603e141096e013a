import { expect, test } from 'vitest';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { netlinkErrors } from './netlink-errors.ts';

test('errors are counted by subsystem and error, those of NETLINK_NETFILTER by the message', async () => {
  const metrics = createMetrics();
  const errors = netlinkErrors(metrics);
  errors.of('ipvs')('ENOENT');
  errors.of('ipvs')('ENOENT');
  errors.ofNetfilter('E4103', 0x609);
  errors.ofNetfilter('ENOBUFS', 0x101);
  const lines = (await metrics.exposition.text()).split('\n');
  expect(lines.filter((line) => line.startsWith('kubeproxy_ipvs_netlink_errors_total'))).toEqual([
    'kubeproxy_ipvs_netlink_errors_total{subsystem="ipvs",errno="ENOENT"} 2',
    'kubeproxy_ipvs_netlink_errors_total{subsystem="ipset",errno="E4103"} 1',
    'kubeproxy_ipvs_netlink_errors_total{subsystem="conntrack",errno="ENOBUFS"} 1',
  ]);
});
