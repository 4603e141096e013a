import { describe, expect, test } from 'vitest';
import { endpoint, slice } from '../../../test/support/objects.ts';
import { realServerKey } from '../../ipvs/ipvs.ts';
import { packUid } from '../../kube/objects/pod-uid.ts';
import type { Endpoint, EndpointSlice } from '../../kube/types.ts';
import type { PortEndpoints } from './endpoint.ts';
import { unknownPod } from './pod-identity.ts';
import { SliceIndex } from './slice-index.ts';
import { isLocal } from './topology.ts';

const query = { family: 'IPv4', name: '', protocol: 'TCP' } as const;
const notReady = { ready: false, serving: false };
const terminating = { ready: false, terminating: true };

const here = { nodeName: 'here', zone: '' };

function indexOf(slices: readonly EndpointSlice[], node = here): PortEndpoints {
  const index = lastOf(new SliceIndex().add(slices));
  return lastOf(index.endpointsOf(query, node));
}

function endpointsOf(slices: readonly EndpointSlice[], node = here) {
  const found: (Endpoint & { readonly key: string; readonly isLocal: boolean })[] = [];
  indexOf(slices, node).forEach((endpoint, id) => {
    found.push({ ...endpoint, key: realServerKey(id), isLocal: isLocal(endpoint, node) });
  });
  return found;
}

/** What steps give back at their end. */
function lastOf<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

describe('the endpoints of a service port', () => {
  test.each<[string, readonly EndpointSlice[], readonly string[]]>([
    [
      'come from all slices',
      [slice([endpoint('10.0.0.1')]), slice([endpoint('10.0.0.2')])],
      ['10.0.0.1 8080', '10.0.0.2 8080'],
    ],
    ['are of the family asked for', [slice([endpoint('fd00::1')])], []],
    [
      'are of the port name asked for',
      [slice([endpoint('10.0.0.1')], { ports: [{ name: 'x', protocol: 'TCP', port: 1 }] })],
      [],
    ],
    [
      'are of the protocol asked for',
      [slice([endpoint('10.0.0.1')], { ports: [{ name: '', protocol: 'UDP', port: 1 }] })],
      [],
    ],
    [
      'have each port number of a name',
      [
        slice([endpoint('10.0.0.1')]),
        slice([endpoint('10.0.0.1')], { ports: [{ name: '', protocol: 'TCP', port: 81 }] }),
      ],
      ['10.0.0.1 8080', '10.0.0.1 81'],
    ],
  ])('%s', (_, slices, expected) => {
    expect(endpointsOf(slices).map(({ key }) => key)).toEqual(expected);
  });

  test.each<[string, Parameters<typeof endpoint>[1], Parameters<typeof endpoint>[1]]>([
    ['one that is ready before one that is not', {}, notReady],
    ['one that is ready and stays before one that terminates', {}, { terminating: true }],
    ['one that is ready before one that serves while it terminates', {}, terminating],
    ['one that serves while it terminates before one that is not ready', terminating, notReady],
    ['one that stays before one that is gone', notReady, { ...notReady, terminating: true }],
    ['of equals the one with a uid', { podUid: packUid('x') }, { podUid: unknownPod }],
    ['of equals the one whose uid sorts first', { podUid: packUid('a') }, { podUid: packUid('b') }],
    ['of one pod the copy that names this node', { nodeName: 'here' }, {}],
  ])('of two with one address in either order: %s', (_, better, worse) => {
    const first = endpoint('10.0.0.1', better);
    const second = endpoint('10.0.0.1', worse);
    const orders = [
      [slice([first, second])],
      [slice([second, first])],
      [slice([first]), slice([second])],
      [slice([second]), slice([first])],
    ];
    const { ready, serving, podUid, nodeName } = first;
    const isLocal = nodeName === 'here';
    for (const slices of orders)
      expect(endpointsOf(slices)).toMatchObject([{ ready, serving, podUid, isLocal }]);
  });

  test('is local if it names this node', () => {
    const [named, unnamed] = [
      endpoint('10.0.0.1', { nodeName: 'here' }),
      endpoint('10.0.0.2', { nodeName: '' }),
    ];
    const found = endpointsOf([slice([named, unnamed])]);
    expect(found.map(({ isLocal }) => isLocal)).toEqual([true, false]);
    expect(endpointsOf([slice([unnamed])], { nodeName: '', zone: '' })[0]?.isLocal).toBe(false);
  });
});
