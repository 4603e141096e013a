import { expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { parseVirtualServers, virtualServerKey } from './kernel.ts';

test('what ipvsadm prints is read with scheduler, persistence and weights, whatever the protocol', () => {
  const virtualServers = parseVirtualServers(
    [
      '-A -t 172.30.0.2:80 -s rr -p 1800',
      '-a -t 172.30.0.2:80 -r 10.0.1.14:8080 -m -w 7',
      '-a -t 172.30.0.2:80 -r 10.0.1.15:8080 -m -w 0',
      '-A -u [fd00:172:30::a]:53 -s sh -b sh-fallback',
      '-a -u [fd00:172:30::a]:53 -r [fd00:10:0:1::3]:53 -m -w 1',
      '-A --sctp-service 172.30.0.9:7 -s rr',
      '',
    ].join('\n'),
  );
  expect(
    [...virtualServers].map(([key, virtualServer]) => [
      key,
      { ...virtualServer, weights: [...virtualServer.weights] },
    ]),
  ).toEqual([
    [
      'TCP 172.30.0.2:80',
      {
        scheduler: 'rr',
        persistence: '1800',
        weights: [
          ['10.0.1.14:8080', 7],
          ['10.0.1.15:8080', 0],
        ],
      },
    ],
    [
      'UDP [fd00:172:30::a]:53',
      { scheduler: 'sh', persistence: undefined, weights: [['[fd00:10:0:1::3]:53', 1]] },
    ],
    ['SCTP 172.30.0.9:7', { scheduler: 'rr', persistence: undefined, weights: [] }],
  ]);
});

test('a virtual server is named as ipvsadm names it', () => {
  const address = ip('fd00:172:30::a');
  expect(virtualServerKey({ protocol: 'UDP', address, port: 53 })).toBe('UDP [fd00:172:30::a]:53');
});
