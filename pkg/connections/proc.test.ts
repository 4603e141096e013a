import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IpvsConnection } from './connections.ts';
import { ProcIpvsConnections } from './proc.ts';

// As Linux 6.1 prints it (`cat /proc/net/ip_vs_conn`).
const heading = 'Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n';
const ipv4 = 'TCP CB007107 5208 C0A8000A 7580 0A000101 1F90 ESTABLISHED     899\n';
const ipv6 =
  'TCP 2001:0db8:0203:0113:0000:0000:0000:0007 520A fd00:0192:0168:0000:0000:0000:0000:0010 7580 fd00:0010:0000:0001:0000:0000:0000:0001 1F90 FIN_WAIT        99\n';
const sip =
  'UDP CB007107 13C4 C0A8000A 13C4 0A000101 13C4 UDP             298 sip 1-2345@203.0.113.7\n';
const foreign = 'IP  CB007107 0000 00000001 0000 0A000101 0000 NONE            298\n';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'connections-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function dump(text: string, limit = 100_000) {
  const file = join(folder, 'ip_vs_conn');
  writeFileSync(file, text, 'latin1');
  const found: IpvsConnection[] = [];
  const result = await new ProcIpvsConnections({ file }).dump({ limit }, (one) => found.push(one));
  return { ...result, found };
}

test('every entry is reported as the kernel has it', async () => {
  expect(await dump(heading + ipv4 + ipv6 + sip)).toEqual({
    isWhole: true,
    unreadable: 0,
    found: [
      {
        protocol: 'TCP',
        client: '203.0.113.7',
        clientPort: 21_000,
        address: '192.168.0.10',
        port: 30_080,
        realAddress: '10.0.1.1',
        realPort: 8080,
        state: 'ESTABLISHED',
      },
      {
        protocol: 'TCP',
        client: '2001:db8:203:113::7',
        clientPort: 21_002,
        address: 'fd00:192:168::10',
        port: 30_080,
        realAddress: 'fd00:10:0:1::1',
        realPort: 8080,
        state: 'FIN_WAIT',
      },
      {
        protocol: 'UDP',
        client: '203.0.113.7',
        clientPort: 5060,
        address: '192.168.0.10',
        port: 5060,
        realAddress: '10.0.1.1',
        realPort: 5060,
        state: 'UDP',
      },
    ],
  });
});

test('entries of other protocols are passed over', async () => {
  expect(await dump(heading + foreign + ipv4)).toMatchObject({ unreadable: 0, found: [{}] });
});

test('a table that the kernel has nothing to say in is empty', async () => {
  for (const text of [heading, ''])
    expect(await dump(text)).toEqual({ isWhole: true, unreadable: 0, found: [] });
});

test('lines beyond one read are whole', async () => {
  const { found } = await dump(heading + (ipv6 + ipv4).repeat(2_000));
  expect(found).toHaveLength(4_000);
  expect(new Set(found.map((one) => JSON.stringify(one))).size).toBe(2);
});

test('what is beyond the limit is not read', async () => {
  const { isWhole, found } = await dump(heading + ipv4.repeat(2_000), 1_999);
  expect([isWhole, found.length]).toEqual([false, 1_999]);
});

describe('what is not understood is counted', () => {
  test.each([
    ['nothing', '\n'],
    ['a cut line', `${ipv4.slice(0, 40)}\n`],
    ['a short address', ipv4.replace('CB007107', 'CB0071')],
    ['a port that is none', ipv4.replace('5208', '52G8')],
    ['an address of colons only', ipv6.replace(/ 2001[0-9a-f:]+/, ` ${':'.repeat(39)}`)],
    ['no time', ipv4.replace(/ +899/, '')],
    ['binary', '\x00\xff\x01 TCP\n'],
  ])('%s', async (_, line) => {
    const { unreadable, found } = await dump(heading + line + ipv4);
    expect([unreadable, found.length]).toEqual([1, 1]);
  });
});

test('another heading is another table', async () => {
  await expect(dump(`sl local_address\n${ipv4}`)).rejects.toThrow(
    'read the connections of IPVS: EINVAL (unknown heading)',
  );
});

test('a line without end is no table', async () => {
  await expect(dump(heading + 'A'.repeat(100_000))).rejects.toThrow('a line without end');
});

test('a kernel without IPVS has no table', async () => {
  const connections = new ProcIpvsConnections({ file: join(folder, 'nothing') });
  await expect(connections.dump({ limit: 1 }, () => undefined)).rejects.toThrow(
    'read the connections of IPVS: ENOENT',
  );
});

test('the event loop turns while a long table is read', async () => {
  let turns = 0;
  const count = () => {
    turns++;
    immediate = setImmediate(count);
  };
  let immediate = setImmediate(count);
  await dump(heading + ipv4.repeat(20_000));
  clearImmediate(immediate);
  expect(turns).toBeGreaterThan(50);
});
