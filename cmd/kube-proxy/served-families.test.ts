import { expect, test } from 'vitest';
import { KernelError } from '../../pkg/errno/errno.ts';
import type { Family } from '../../pkg/ip/address.ts';
import { recordingLogger } from '../../pkg/log/memory.ts';
import { ip } from '../../test/support/addresses.ts';
import { servedFamilies } from './served-families.ts';

type Failures = Partial<Record<Family, `E${string}`>>;

/** What comes of it where iptables fails for some families with a code. */
async function served(bindAddress: string, failures: Failures): Promise<readonly Family[]> {
  const firewall = {
    capabilities(family: Family) {
      const code = failures[family];
      if (code !== undefined)
        return Promise.reject(new KernelError(`look for ${family} iptables`, code));
      return Promise.resolve({ description: 'nf_tables', hasRandomFully: true });
    },
  };
  const config = { bindAddress: ip(bindAddress) };
  return await servedFamilies({ config, log: recordingLogger() }, firewall as never);
}

test.each<[string, Failures, readonly Family[]]>([
  ['0.0.0.0', { IPv4: 'ENOENT' }, ['IPv6']],
  ['0.0.0.0', { IPv6: 'ENOENT' }, ['IPv4']],
  ['::', { IPv6: 'ENOENT' }, ['IPv4']],
  ['192.168.0.10', { IPv6: 'ENOENT' }, ['IPv4']],
  ['fd00:192:168::10', { IPv4: 'ENOENT' }, ['IPv6']],
])('bound to %s with %j, served are %j', async (bindAddress, failures, expected) => {
  expect(await served(bindAddress, failures)).toEqual(expected);
});

test.each<[string, Failures, RegExp]>([
  ['192.168.0.10', { IPv4: 'ENOENT' }, /^no support for primary IP family$/],
  ['fd00:192:168::10', { IPv6: 'ENOENT' }, /^no support for primary IP family$/],
  ['0.0.0.0', { IPv4: 'ENOENT', IPv6: 'ENOENT' }, /^no support for primary IP family$/],
  ['0.0.0.0', { IPv6: 'EBUSY' }, /^look for IPv6 iptables: EBUSY/],
])('bound to %s with %j, it is fatal', async (bindAddress, failures, message) => {
  await expect(served(bindAddress, failures)).rejects.toThrow(message);
});
