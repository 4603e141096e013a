import { describe, expect, test } from 'vitest';
import { endpoint, slice } from '../../test/support/objects.ts';
import type { EndpointSlice } from '../kube/types.ts';
import { endpointKey, endpointsOf } from './endpoint.ts';

const query = { family: 'IPv4', portName: '', protocol: 'TCP', nodeName: 'here' } as const;
const keys = (slices: readonly EndpointSlice[]) => endpointsOf(slices, query).map(endpointKey);
const terminating = { ready: false, terminating: true };

describe('the endpoints of a service port', () => {
  test.each<[string, readonly EndpointSlice[], readonly string[]]>([
    [
      'come from all slices, sorted',
      [slice([endpoint('10.0.0.2')]), slice([endpoint('10.0.0.1')])],
      ['10.0.0.1:8080', '10.0.0.2:8080'],
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
      ['10.0.0.1:8080', '10.0.0.1:81'],
    ],
  ])('%s', (_, slices, expected) => {
    expect(keys(slices)).toEqual(expected);
  });

  test('a duplicate that does not terminate replaces one that does, and only then', () => {
    const [first] = endpointsOf(
      [
        slice([
          endpoint('10.0.0.1', { ...terminating, podUid: 'old' }),
          endpoint('10.0.0.1', { podUid: 'new' }),
        ]),
      ],
      query,
    );
    expect(first?.podUid).toBe('new');
    const [second] = endpointsOf(
      [slice([endpoint('10.0.0.1', { podUid: 'one' }), endpoint('10.0.0.1', { podUid: 'two' })])],
      query,
    );
    expect(second?.podUid).toBe('one');
  });

  test('is local if it names this node', () => {
    const found = endpointsOf(
      [slice([endpoint('10.0.0.1', { nodeName: 'here' }), endpoint('10.0.0.2', { nodeName: '' })])],
      query,
    );
    expect(found.map(({ isLocal }) => isLocal)).toEqual([true, false]);
    expect(
      endpointsOf([slice([endpoint('10.0.0.2', { nodeName: '' })])], { ...query, nodeName: '' })[0]
        ?.isLocal,
    ).toBe(false);
  });
});
