import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { endpoint, service, servicePort, slice } from '../../../test/support/objects.ts';
import { Stand, setService, setSlice } from '../../../test/support/proxier.ts';
import type { Change } from '../../kube/types.ts';

const asked = service({
  type: 'LoadBalancer',
  externalTrafficPolicy: 'Local',
  healthCheckNodePort: 32_000,
  clusterIPs: [ip('172.30.0.1'), ip('fd00:30::1')],
  ports: [servicePort(), servicePort({ name: 'other', port: 81 })],
});
const here = { nodeName: 'here' };

/** A proxier that has entered the objects. */
async function stand(...reported: readonly Change[]): Promise<Stand> {
  const made = new Stand();
  made.report(...reported);
  await made.sync();
  return made;
}

test.each([
  ['ready ones of this node', [endpoint('10.0.0.1', here), endpoint('10.0.0.2')], 1],
  [
    'neither those that are not ready nor those that terminate',
    [
      endpoint('10.0.0.1', { ...here, ready: false }),
      endpoint('10.0.0.2', { ...here, ready: false, terminating: true }),
    ],
    0,
  ],
  ['none', [], 0],
])('of the endpoints it counts %s', async (_, endpoints, count) => {
  const { reports } = await stand(setService(asked), setSlice(slice(endpoints)));
  expect([...reports.health]).toEqual([['shop/web', `32000: ${count} endpoints`]]);
});

test('an address counts once, however many slices name it, and a pod once that has one of each family', async () => {
  const { reports } = await stand(
    setService(asked),
    setSlice(slice([endpoint('10.0.0.1', here)])),
    setSlice(slice([endpoint('10.0.0.1', here)], { name: 'web-2' })),
    setSlice(slice([endpoint('fd00:10::1', here)], { name: 'web-6' })),
  );
  expect(reports.health.get('shop/web')).toBe('32000: 1 endpoints');
});

test('it follows single endpoints that come and go', async () => {
  const made = await stand(setService(asked), setSlice(slice([endpoint('10.0.0.1', here)])));
  const counts = [];
  for (const endpoints of [
    [endpoint('10.0.0.1', here), endpoint('10.0.0.2', here)],
    [endpoint('10.0.0.1', here), endpoint('10.0.0.3')],
    [endpoint('10.0.0.1', { ...here, ready: false, terminating: true })],
  ]) {
    made.report(setSlice(slice(endpoints)));
    await made.sync();
    counts.push(made.reports.health.get('shop/web'));
  }
  expect(counts).toEqual(['32000: 2 endpoints', '32000: 1 endpoints', '32000: 0 endpoints']);
});

test.each([
  ['of another policy', { externalTrafficPolicy: 'Cluster' as const }],
  ['of another type', { type: 'NodePort' as const }],
  ['without the port', { healthCheckNodePort: 0 }],
])('a Service %s has none, and one that becomes so loses it', async (_, over) => {
  const made = await stand(setService(asked));
  expect(made.reports.health.size).toBe(1);
  made.report(setService({ ...asked, ...over }));
  await made.sync();
  expect([...made.reports.health]).toEqual([]);
});

test('a Service that is deleted loses it', async () => {
  const made = await stand(setService(asked));
  made.report({ type: 'delete', kind: 'Service', name: { namespace: 'shop', name: 'web' } });
  await made.sync();
  expect([...made.reports.health]).toEqual([]);
});

test('its port is let in by the set of health-check ports', async () => {
  const made = await stand(setService(asked));
  expect(made.kernel.ipsets.dump()).toContain('add KUBE-HEALTH-CHECK-NODE-PORT 32000');
});
