import { expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { rstPacket, synPacket } from './packet.ts';

test('an IPv4 packet', () => {
  const connection = {
    server: ip('172.30.0.1'),
    serverPort: 80,
    client: ip('10.0.1.1'),
    clientPort: 40_000,
  };
  expect(Buffer.from(synPacket(connection, 0x0102_0304)).toString('hex')).toBe(
    [
      '45000028 00004000 40060000 ac1e0001 0a000101',
      '0050 9c40 01020304 00000000 5002 ffff 582c 0000',
    ]
      .join('')
      .replaceAll(' ', ''),
  );
});

test('an IPv6 packet', () => {
  const connection = {
    server: ip('fd00:172:30::1'),
    serverPort: 443,
    client: ip('fd00:10:0:1::1'),
    clientPort: 1024,
  };
  expect(Buffer.from(synPacket(connection, 0xffff_ffff)).toString('hex')).toBe(
    [
      '60000000 0014 06 40',
      'fd000172003000000000000000000001 fd000010000000010000000000000001',
      '01bb 0400 ffffffff 00000000 5002 ffff ae71 0000',
    ]
      .join('')
      .replaceAll(' ', ''),
  );
});

test('a RST goes the other way', () => {
  const connection = {
    server: ip('172.30.0.1'),
    serverPort: 80,
    client: ip('10.0.1.1'),
    clientPort: 40_000,
  };
  expect(Buffer.from(rstPacket(connection, 0x0102_0304)).toString('hex')).toBe(
    [
      '45000028 00004000 40060000 0a000101 ac1e0001',
      '9c40 0050 01020304 00000000 5004 ffff 582a 0000',
    ]
      .join('')
      .replaceAll(' ', ''),
  );
});
