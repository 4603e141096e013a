import { expect, test } from 'vitest';
import { reducePod } from './reduce-pod.ts';

test('a pod has at most one address of each family', () => {
  const podIPs = [{ ip: '10.0.1.4' }, { ip: 'fd00:10::4' }, { ip: '10.0.1.5' }];
  const raw = { spec: { nodeName: 'here' }, status: { podIP: '10.0.1.4', podIPs } };
  expect(reducePod(raw)).toEqual({
    addresses: ['10.0.1.4', 'fd00:10::4'],
    isHostNetwork: false,
    nodeName: 'here',
  });
});

test.each([
  ['of the host network', { spec: { hostNetwork: true } }, { isHostNetwork: true }],
  [
    'without podIPs, as old servers have it',
    { spec: {}, status: { podIP: '10.0.1.4' } },
    { addresses: ['10.0.1.4'] },
  ],
  ['that has no address yet', { spec: {}, status: {} }, { addresses: [], nodeName: '' }],
  [
    'of other shapes',
    {
      spec: { nodeName: 1, hostNetwork: 'yes' },
      status: { podIPs: [1, { ip: 2 }, { ip: 'x' }], podIP: [] },
    },
    { addresses: [], isHostNetwork: false, nodeName: '' },
  ],
])('a pod %s', (_, raw, expected) => {
  expect(reducePod(raw)).toMatchObject(expected);
});

test.each([[undefined], [null], ['text'], [[]], [{}], [{ spec: 1 }]])('%j is no pod', (raw) => {
  expect(reducePod(raw)).toBeUndefined();
});
