import { describe, expect, test } from 'vitest';
import { endpoint, service, servicePort } from '../../../test/support/objects.ts';
import { families } from '../../ip/address.ts';
import type { Service } from '../../kube/types.ts';
import { servicePorts } from './service.ts';
import { chooseEndpoints, EndpointCounts, isSelected, type Selector } from './topology.ts';

const a = '10.0.0.1' as const;
const b = '10.0.0.2' as const;
const c = '10.0.0.3' as const;
const d = '10.0.0.4' as const;
const exposed: Partial<Service> = { type: 'NodePort', ports: [servicePort({ nodePort: 30_080 })] };
const draining = { ready: false, serving: true, terminating: true };
const dead = { ready: false, serving: false, terminating: true };
const unready = { ready: false, serving: true, terminating: false };

function choose(
  over: Partial<Service>,
  endpoints: readonly ReturnType<typeof endpoint>[],
  zone = 'zone-a',
) {
  const [port] = servicePorts(service(over), { externalIPs: true, families });
  if (port === undefined) throw new Error('the Service has no port');
  const node = { nodeName: 'here', zone };
  const counts = new EndpointCounts();
  for (const one of endpoints) counts.add(one, { node, by: 1 });
  const { cluster, local, hasAny } = chooseEndpoints(counts, { port, node });
  const chosenBy = (selector: Selector | undefined) =>
    selector === undefined
      ? undefined
      : endpoints.filter((one) => isSelected(selector, one, node)).map(({ address }) => address);
  return [chosenBy(cluster), chosenBy(local), hasAny];
}

const hinted = (address: string, zone: string, over = {}) =>
  endpoint(address, { zoneHints: [zone], ...over });

describe('which endpoints serve which traffic', () => {
  test.each([
    ['without endpoints nobody serves', {}, [], [[], undefined, false]],
    [
      'ready ones serve, others do not',
      {},
      [endpoint(a), endpoint(b, unready), endpoint(c, draining)],
      [[a], undefined, true],
    ],
    [
      'an unready one that does not terminate never serves',
      {},
      [endpoint(a, unready)],
      [[], undefined, false],
    ],
    [
      'those that terminate serve if no other does',
      {},
      [endpoint(a, draining), endpoint(b, dead)],
      [[a], undefined, true],
    ],
    [
      'hints for the zone count',
      {},
      [hinted(a, 'zone-a'), hinted(b, 'zone-b'), hinted(d, 'zone-a')],
      [[a, d], undefined, true],
    ],
    [
      'hints fall back if nobody in the zone is ready',
      {},
      [hinted(a, 'zone-a', unready), hinted(b, 'zone-b')],
      [[b], undefined, true],
    ],
    [
      'one ready endpoint without a hint turns hints off',
      {},
      [hinted(a, 'zone-a'), endpoint(b)],
      [[a, b], undefined, true],
    ],
    [
      'hints for the node beat those for the zone',
      {},
      [hinted(a, 'zone-a', { nodeHints: ['here'] }), hinted(b, 'zone-a', { nodeHints: ['there'] })],
      [[a], undefined, true],
    ],
    [
      'without a hint for this node the zone is tried',
      {},
      [
        hinted(a, 'zone-a', { nodeHints: ['there'] }),
        hinted(b, 'zone-b', { nodeHints: ['there'] }),
      ],
      [[a], undefined, true],
    ],
    [
      'internal policy Local uses local ones only',
      { internalTrafficPolicy: 'Local' },
      [endpoint(a, { nodeName: 'here' }), endpoint(b)],
      [undefined, [a], true],
    ],
    [
      'internal policy Local with remote ones only has any, and none here',
      { internalTrafficPolicy: 'Local' },
      [endpoint(b)],
      [undefined, [], true],
    ],
    [
      'external policy Local ignores topology',
      { ...exposed, externalTrafficPolicy: 'Local' },
      [
        hinted(a, 'zone-a', { nodeName: 'here' }),
        hinted(b, 'zone-b', { nodeName: 'here' }),
        hinted(c, 'zone-a'),
        hinted(d, 'zone-b'),
      ],
      [[a, c], [a, b], true],
    ],
    [
      'external policy Local of a Service nobody outside reaches is nothing',
      { externalTrafficPolicy: 'Local' },
      [endpoint(a)],
      [[a], undefined, true],
    ],
    [
      'each list falls back by itself',
      { ...exposed, externalTrafficPolicy: 'Local' },
      [
        endpoint(a),
        endpoint(b, { ...draining, nodeName: 'here' }),
        endpoint(c, { ...dead, nodeName: 'here' }),
        endpoint(d, draining),
      ],
      [[a], [b], true],
    ],
  ] as const)('%s', (_, over, endpoints, expected) => {
    expect(choose(over, endpoints)).toEqual(expected);
  });

  test('a node without a zone uses all of them', () => {
    expect(choose({}, [hinted(a, 'zone-a'), hinted(b, 'zone-b')], '')).toEqual([
      [a, b],
      undefined,
      true,
    ]);
  });
});
