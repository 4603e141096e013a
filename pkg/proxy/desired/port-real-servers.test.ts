import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { endpoint, service, servicePort, slice } from '../../../test/support/objects.ts';
import { printRealServer } from '../../ipvs/ipvs.ts';
import { noOptions } from '../../kube/annotations.ts';
import type { NodeContext, ServiceObjects } from './footprint.ts';
import { footprint } from './footprints.ts';

const node: NodeContext = {
  nodeName: 'here',
  zone: '',
  scheduler: 'rr',
  families: ['IPv4'],
  nodePortAddresses: [ip('192.168.0.10')],
  nodeAddresses: new Set([ip('192.168.0.10')]),
  externalIPs: true,
  nodeIPs: [ip('192.168.0.10'), ip('2001:db8::10')],
};

function realServersOf(objects: Partial<ServiceObjects>) {
  const whole = { service: service(), slices: [], vanished: [], ...objects };
  return footprint(whole, node).frontEnds.map(({ realServers }) => realServers);
}

const some = fc.record({
  last: fc.integer({ min: 1, max: 30 }),
  ready: fc.boolean(),
  terminating: fc.boolean(),
  nodeName: fc.constantFrom('here', 'elsewhere'),
});

test('real servers that are said to be alike are those that are wanted, whatever the endpoints and policies', () => {
  let found = 0;
  fc.assert(
    fc.property(
      fc.array(some, { maxLength: 25 }),
      fc.constantFrom('Cluster', 'Local'),
      fc.constantFrom(1, 2),
      (records, externalTrafficPolicy, count) => {
        const endpoints = records.map(({ last, ...over }) => endpoint(`10.0.0.${last}`, over));
        const slices = Array.from({ length: count }, (_, index) =>
          slice(
            endpoints.filter((_, nth) => nth % count === index),
            { name: `web-${index}` },
          ),
        );
        const ports = [servicePort({ nodePort: 30_080 })];
        const exposed = service({ type: 'NodePort', ports, externalTrafficPolicy });
        for (const realServers of realServersOf({ service: exposed, slices })) {
          const alike = realServers.alike();
          if (alike === undefined) continue;
          found += alike.realServers.length;
          const print = ({ address, podUid }: (typeof alike.realServers)[number]) =>
            `${printRealServer({ address, port: alike.port })} ${podUid}`;
          const wanted = realServers.values();
          expect(alike.realServers.map(print)).toEqual(
            wanted.map((one) => `${printRealServer(one)} ${one.podUid}`),
          );
          expect(wanted.filter(({ weight }) => weight !== 1)).toEqual([]);
        }
      },
    ),
  );
  expect(found).toBeGreaterThan(100);
});

const two = [endpoint('10.0.0.1'), endpoint('10.0.0.2')];

test.each([
  ['one list of a slice', {}, true],
  [
    'several port numbers',
    {
      slices: [
        slice(two),
        slice([endpoint('10.0.0.3')], {
          name: 'web-2',
          ports: [{ name: '', protocol: 'TCP', port: 81 }],
        }),
      ],
    },
    false,
  ],
  [
    'one that vanished a moment ago, which gets no new connections',
    { vanished: [slice([endpoint('10.0.0.9')])] },
    false,
  ],
  [
    'sessions that belong to addresses, whatever pod has them',
    { options: { ...noOptions, keepsSessionsByAddress: true } },
    false,
  ],
])('whether they are said to be alike: %s', (_, objects, areAlike) => {
  const [realServers] = realServersOf({ slices: [slice(two)], ...objects });
  expect(realServers?.alike() !== undefined).toBe(areAlike);
});
