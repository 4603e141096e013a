import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { endpoint, slice } from '../../../test/support/objects.ts';
import { anonymizer } from './anonymize.ts';

test('keys are tried until no address is replaced by another one of the dump, and no longer', () => {
  const addresses = ['10.0.0.7', '12.0.0.7', '127.0.0.1', '::1', '0.0.0.0'];
  let tries = 0;
  const newKey = () => createHash('sha256').update(`${tries++}`).digest();
  const replace = anonymizer(
    {
      nodeName: 'here',
      taken: 0,
      isAnonymous: true,
      versions: { program: 'v1', runtime: 'node' },
      configuration: {},
      objects: {
        services: [],
        slices: [slice(addresses.map((address) => endpoint(address)))],
        node: undefined,
        serviceRanges: ['10.0.0.0/8', '12.0.0.0/8', '0.0.0.0/0'],
      },
      node: {},
      metrics: undefined,
      log: undefined,
      unread: [],
    },
    newKey,
  );
  const replaced = addresses.map((address) => replace.address(ip(address)));
  expect(replaced.slice(2)).toEqual(addresses.slice(2));
  for (const address of replaced.slice(0, 2)) expect(address).not.toMatch(/^1[02]\./);
  expect(tries).toBeLessThan(64);
});
