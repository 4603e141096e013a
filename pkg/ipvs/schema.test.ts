import { describe, expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { capturedMessages, requestDifferences } from '../../test/support/fixture.ts';
import { RecordingConnection } from '../../test/support/recording-connection.ts';
import { GenericFamily } from '../netlink/generic.ts';
import { decode } from '../wire/codec.ts';
import * as commands from './commands.ts';
import { printVersion, realServerOf, virtualServerOf } from './convert.ts';
import {
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  noStatistics,
  type RealServer,
  type VirtualServer,
} from './ipvs.ts';
import { NetlinkIpvs } from './netlink.ts';

// Beside what `ipvsadm` sent and was answered, when it did the same: test/fixtures/ipvs.sh.

const messages = capturedMessages('ipvs');

/** The kernel's number of the family, when that was captured. */
const familyId = 0x20;

const web: VirtualServer = {
  address: ip('172.30.0.1'),
  protocol: 'TCP',
  port: 443,
  scheduler: 'sh',
  flags: IP_VS_SVC_F_SCHED1,
  timeout: 0,
  prefixLength: 32,
  persistenceEngine: '',
};
const dns: VirtualServer = {
  address: ip('fd00:172:30::a'),
  protocol: 'UDP',
  port: 53,
  scheduler: 'rr',
  flags: IP_VS_SVC_F_PERSISTENT,
  timeout: 10_800,
  prefixLength: 64,
  persistenceEngine: 'sip',
};
const pod: RealServer = {
  address: ip('10.0.0.7'),
  port: 8443,
  weight: 1,
  forwarding: 'masquerade',
  upperThreshold: 200,
  lowerThreshold: 100,
};
const pod6: RealServer = { ...pod, address: ip('fd00:10::7'), port: 5353 };

/** It names the whole service where its key is enough, */
const wholeService = ['6', '7', '8', '9'].map((attribute) => `theirs .service.${attribute}`);
/** and how a tunnel is made, which is of no use without one. */
const tunnel = ['13', '14', '15'].map((attribute) => `theirs .dest.${attribute}`);
const wholeDest = ['3', '4', '5', '6'].map((attribute) => `theirs .dest.${attribute}`);

const commandNames = Object.values(commands).flatMap((command) =>
  typeof command === 'object' ? command.name : [],
);

type Row = readonly [string, number, (ipvs: NetlinkIpvs) => unknown, readonly string[]];

const rows: readonly Row[] = [
  ['IPVS_CMD_SET_CONFIG', 0, (ipvs) => ipvs.setTimeouts({ tcp: 900, tcpFin: 120, udp: 300 }), []],
  ['IPVS_CMD_GET_CONFIG', 0, (ipvs) => expect(() => ipvs.timeouts()).toThrow('no answer'), []],
  ['IPVS_CMD_GET_INFO', 0, (ipvs) => expect(() => ipvs.info()).toThrow('no answer'), []],
  [
    'IPVS_CMD_NEW_SERVICE',
    0,
    (ipvs) => ipvs.write([{ kind: 'addVirtualServer', virtualServer: web }]),
    [],
  ],
  [
    'IPVS_CMD_NEW_SERVICE',
    1,
    (ipvs) => ipvs.write([{ kind: 'addVirtualServer', virtualServer: dns }]),
    [],
  ],
  [
    'IPVS_CMD_NEW_DEST',
    0,
    (ipvs) => ipvs.write([{ kind: 'addRealServer', virtualServer: web, realServer: pod }]),
    [...tunnel, ...wholeService],
  ],
  [
    'IPVS_CMD_NEW_DEST',
    1,
    (ipvs) => ipvs.write([{ kind: 'addRealServer', virtualServer: dns, realServer: pod6 }]),
    [...tunnel, ...wholeService],
  ],
  ['IPVS_CMD_GET_SERVICE', 0, (ipvs) => ipvs.virtualServers(), []],
  ['IPVS_CMD_GET_DEST', 0, (ipvs) => ipvs.realServers(web), []],
  ['IPVS_CMD_GET_DEST', 1, (ipvs) => ipvs.realServers(dns), []],
  ['IPVS_CMD_GET_SERVICE', 1, (ipvs) => ipvs.virtualServer(web), wholeService],
  [
    'IPVS_CMD_SET_SERVICE',
    0,
    (ipvs) =>
      ipvs.write([
        { kind: 'updateVirtualServer', virtualServer: { ...web, scheduler: 'rr', flags: 0 } },
      ]),
    [],
  ],
  [
    'IPVS_CMD_SET_DEST',
    0,
    (ipvs) =>
      ipvs.write([
        { kind: 'updateRealServer', virtualServer: web, realServer: { ...pod, weight: 0 } },
      ]),
    [...tunnel, ...wholeService],
  ],
  [
    'IPVS_CMD_DEL_DEST',
    0,
    (ipvs) => ipvs.write([{ kind: 'deleteRealServer', virtualServer: web, realServer: pod }]),
    [...tunnel, ...wholeDest, ...wholeService],
  ],
  [
    'IPVS_CMD_DEL_SERVICE',
    0,
    (ipvs) => ipvs.write([{ kind: 'deleteVirtualServer', virtualServer: web }]),
    wholeService,
  ],
];

describe('requests are those of ipvsadm but for', () => {
  test.each(rows)('%s, captured for the %ith time', async (name, number, ask, differences) => {
    const connection = new RecordingConnection({ CTRL_CMD_GETFAMILY: { familyId } });
    const family = new GenericFamily(connection.asConnection(), 'IPVS');
    await ask(new NetlinkIpvs(connection.asConnection(), family));
    expect(requestDifferences(connection.requests, { messages, name, number })).toEqual(
      differences,
    );
  });

  test('no command is left out', () => {
    const names = new Set(rows.map(([name]) => name));
    expect(names).toEqual(new Set(commandNames));
  });
});

/** Payloads of answers, whose first byte is the command. */
function answers(command: number): readonly Uint8Array[] {
  return messages
    .filter(
      ({ type, isRequest, payload }) => type === familyId && !isRequest && payload[0] === command,
    )
    .map(({ payload }) => payload);
}

test('services are read as they were asked for', () => {
  const [one, other, again] = answers(1).map((payload) => {
    const { service } = decode(commands.listServices.reply, payload);
    return virtualServerOf(service);
  });
  const [asWeb, asDns] = [web, dns].map((virtualServer) => ({
    ...virtualServer,
    statistics: noStatistics,
  }));
  // Both came in a dump, then the first was asked for by its key.
  expect(new Set([one, other])).toEqual(new Set([asWeb, asDns]));
  expect(again).toEqual(asWeb);
});

test('dests are read as they were asked for', () => {
  const idle = {
    activeConnections: 0,
    inactiveConnections: 0,
    persistentConnections: 0,
    statistics: noStatistics,
  };
  const replies = answers(5).map((payload) => decode(commands.listDests.reply, payload));
  expect(replies.map(({ dest }) => realServerOf(dest, 0))).toEqual(
    [pod, pod6, pod].map((realServer) => ({ ...realServer, ...idle })),
  );
});

test('version and timeouts are read', () => {
  const [info] = answers(14).map((payload) => decode(commands.getInfo.reply, payload));
  expect(printVersion(info?.version ?? 0)).toBe('1.2.1');
  expect(info?.connectionTableSize).toBe(4096);
  const [timeouts] = answers(12).map((payload) => decode(commands.getConfig.reply, payload));
  expect(timeouts).toEqual({ tcp: 900, tcpFin: 120, udp: 300 });
});
