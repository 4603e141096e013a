import { startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import { expect, test } from 'vitest';
import { Follower } from './follower.ts';
import { service } from './objects.ts';

test('a follower is current with a server that makes an object while its state is read', async () => {
  await using server = await startApiServer();
  await using follower = await Follower.start(server.kubeconfig());
  let reads = 0;
  await follower.untilCurrent(async () => {
    reads++;
    // What was read is out of date as soon as it is there.
    if (reads === 1) {
      server.apply(service('kubernetes'));
      await follower.untilKnown('Service default/kubernetes');
      await follower.untilSynced();
      return {};
    }
    return follower.state;
  });
  expect(Object.keys(follower.state)).toEqual(['Service default/kubernetes']);
  expect(reads).toBe(2);
});
