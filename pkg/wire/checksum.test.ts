import { expect, test } from 'vitest';
import { internetChecksum } from './checksum.ts';

test.each([
  ['the example of RFC 1071', [[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]], 0x220d],
  ['nothing', [], 0xffff],
  ['all ones', [[0xff, 0xff, 0xff, 0xff]], 0],
  [
    'parts, whose order does not count',
    [
      [0xf4, 0xf5, 0xf6, 0xf7],
      [0x00, 0x01, 0xf2, 0x03],
    ],
    0x220d,
  ],
  // An IPv4 header from RFC 1071's best known use: its own checksum, b861, left out.
  [
    'an IPv4 header',
    [[0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7]],
    0xb861,
  ],
])('%s', (_, parts, checksum) => {
  expect(internetChecksum(...parts)).toBe(checksum);
});
