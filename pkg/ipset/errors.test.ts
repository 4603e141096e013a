import { expect, test } from 'vitest';
import { KernelError } from '../errno/errno.ts';
import { inWords } from './errors.ts';
import type { SetHeader } from './ipset.ts';

test.each<[string, SetHeader['type'], string]>([
  ['E4352', 'hash:ip', 'ENOSPC (set is full)'],
  ['E4352', 'bitmap:port', 'ERANGE (port outside the range of the set)'],
  ['E4100', 'bitmap:port', 'EBUSY (set is in use)'],
  ['E4104', 'hash:ip,port,net', 'EINVAL (invalid prefix length)'],
  ['E4103', 'hash:ip', 'EEXIST'],
  ['E4999', 'hash:ip', 'E4999'],
  ['ENOENT', 'hash:ip', 'ENOENT'],
])('%s of a %s is %s', (code, type, words) => {
  const error = new KernelError('try', code as `E${string}`);
  expect(inWords(error, type).message).toBe(`try: ${words}`);
});
