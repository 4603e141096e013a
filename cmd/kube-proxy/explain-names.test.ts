import { expect, test } from 'vitest';
import { ApiError } from '../../pkg/kube/api/error.ts';
import { readPod } from './explain-names.ts';

const name = { namespace: 'shop', name: 'cart-x' };

test('a pod is asked for by its path', async () => {
  const paths: string[] = [];
  const client = {
    async get(path: string) {
      paths.push(path);
      return { spec: { nodeName: 'here' }, status: { podIP: '10.0.1.4' } };
    },
  };
  const expected = { addresses: ['10.0.1.4'], isHostNetwork: false, nodeName: 'here' };
  expect(await readPod(client, name)).toEqual(expected);
  expect(paths).toEqual(['/api/v1/namespaces/shop/pods/cart-x']);
});

function failing(status: number) {
  const error = new ApiError('GET pod', { status, message: 'no' });
  return { get: () => Promise.reject(error) };
}

test('one that is not there is none; without the permission it is said what to do', async () => {
  expect(await readPod(failing(404), name)).toBeUndefined();
  await expect(readPod(failing(403), name)).rejects.toThrow(/: ask with the address of the pod$/);
  await expect(readPod(failing(500), name)).rejects.toThrow(/^GET pod: 500/);
  await expect(readPod({ get: async () => [] }, name)).rejects.toThrow('is no pod');
});
