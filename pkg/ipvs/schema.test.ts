import { expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { type CapturedMessage, capturedMessages } from '../../test/support/fixture.ts';
import { type Codec, decode, encode } from '../wire/codec.ts';
import * as commands from './commands.ts';
import { printVersion, realServerOf, virtualServerOf } from './translate.ts';

const GENL_ID_CTRL = 16;

/** Messages of IPVS, whose first byte is the command. */
function captured(command: number, isRequest: boolean): readonly CapturedMessage[] {
  return capturedMessages('ipvs').filter(
    (message) =>
      message.type > GENL_ID_CTRL &&
      message.payload[0] === command &&
      message.isRequest === isRequest,
  );
}

test.each<[string, number, Codec<unknown>, number]>([
  ['a new service', 1, commands.newService.request, 2],
  ['a changed service', 2, commands.setService.request, 1],
  ['a deleted service', 3, commands.deleteService.request, 1],
  ['a new dest', 5, commands.newDest.request, 2],
  ['a changed dest', 6, commands.setDest.request, 1],
  ['a deleted dest', 7, commands.deleteDest.request, 1],
  ['a question for dests', 8, commands.listDests.request, 2],
  ['new timeouts', 12, commands.setConfig.request, 1],
  ['a question for timeouts', 13, commands.getConfig.request, 1],
  ['a question for the version', 15, commands.getInfo.request, 1],
])('%s is encoded to the bytes that the kernel took', (_, command, codec, count) => {
  const requests = captured(command, true);
  expect(requests).toHaveLength(count);
  for (const { payload } of requests)
    expect(encode(codec, decode(codec, payload))).toEqual(payload);
});

test('a question for one service, and one for all, are encoded to the bytes that the kernel took', () => {
  const [one, all] = captured(4, true).map(({ payload }) => payload);
  const { getService, listServices } = commands;
  expect(encode(getService.request, decode(getService.request, one ?? new Uint8Array(0)))).toEqual(
    one,
  );
  expect(encode(listServices.request, {})).toEqual(all);
});

const statistics = {
  connections: 0n,
  incomingPackets: 0n,
  outgoingPackets: 0n,
  incomingBytes: 0n,
  outgoingBytes: 0n,
};

test('services are read as they were asked for', () => {
  const web = {
    ...{ address: ip('172.30.0.1'), protocol: 'TCP', port: 443, scheduler: 'sh', flags: 8 },
    ...{ timeout: 0, prefixLength: 32, persistenceEngine: '', statistics },
  };
  const dns = {
    ...{ address: ip('fd00:172:30::a'), protocol: 'UDP', port: 53, scheduler: 'rr', flags: 1 },
    ...{ timeout: 10_800, prefixLength: 64, persistenceEngine: 'sip', statistics },
  };
  const replies = captured(1, false).map(({ payload }) =>
    decode(commands.listServices.reply, payload),
  );
  // The first was asked for by its key, then both came in a dump.
  expect(replies.map(({ service }) => virtualServerOf(service))).toEqual([web, web, dns]);
});

test('dests are read as they were asked for', () => {
  const idle = {
    activeConnections: 0,
    inactiveConnections: 0,
    persistentConnections: 0,
    statistics,
  };
  const settings = {
    weight: 1,
    forwarding: 'masquerade',
    upperThreshold: 200,
    lowerThreshold: 100,
  };
  const replies = captured(5, false).map(({ payload }) =>
    decode(commands.listDests.reply, payload),
  );
  expect(replies.map(({ dest }) => realServerOf(dest, 0))).toEqual([
    { address: ip('10.0.0.7'), port: 8443, ...settings, ...idle },
    { address: ip('fd00:10::7'), port: 5353, ...settings, ...idle },
  ]);
});

test('version and timeouts are read', () => {
  const [info] = captured(14, false).map(({ payload }) => decode(commands.getInfo.reply, payload));
  expect(printVersion(info?.version ?? 0)).toBe('1.2.1');
  expect(info?.connectionTableSize).toBe(4096);
  const [timeouts] = captured(12, false).map(({ payload }) =>
    decode(commands.getConfig.reply, payload),
  );
  expect(timeouts).toEqual({ tcp: 900, tcpFin: 120, udp: 300 });
});
