import { between, notNegative } from '../checks.ts';
import { field, noEffect } from '../field.ts';
import { bool, duration, int32 } from '../value-types.ts';

const group = 'Node and conntrack';

/** Settings of the node that are applied once, at the start. */
export const nodeFields = {
  oomScoreAdj: field(int32, {
    flag: 'oom-score-adj',
    default: -999,
    group,
    help: 'How willingly the kernel kills this process when memory runs out, from -1000 (never) to 1000.',
    check: between(-1000, 1000),
  }),
  'conntrack.maxPerCore': field(int32, {
    flag: 'conntrack-max-per-core',
    default: 32_768,
    group,
    help: 'Connections that conntrack may hold for each CPU, 1,048,576 in all at most. 0: as it is.',
    check: notNegative,
  }),
  'conntrack.min': field(int32, {
    flag: 'conntrack-min',
    default: 131_072,
    group,
    help: 'Connections that conntrack may hold at least, whatever the number of CPUs.',
    check: notNegative,
  }),
  'conntrack.tcpEstablishedTimeout': field(duration, {
    flag: 'conntrack-tcp-timeout-established',
    default: 86_400_000,
    group,
    help: 'When conntrack forgets an idle TCP connection. 0: as it is.',
    check: notNegative,
  }),
  'conntrack.tcpCloseWaitTimeout': field(duration, {
    flag: 'conntrack-tcp-timeout-close-wait',
    default: 3_600_000,
    group,
    help: 'When conntrack forgets a TCP connection of which one side has closed. 0: as it is.',
    check: notNegative,
  }),
  'conntrack.tcpBeLiberal': field(bool, {
    flag: 'conntrack-tcp-be-liberal',
    group,
    help: 'Let conntrack take TCP packets outside of the window for valid ones.',
  }),
  'conntrack.udpTimeout': field(duration, {
    flag: 'conntrack-udp-timeout',
    group,
    help: 'When conntrack forgets a UDP flow without an answer. 0: as it is.',
    check: notNegative,
  }),
  'conntrack.udpStreamTimeout': field(duration, {
    flag: 'conntrack-udp-timeout-stream',
    group,
    help: 'When conntrack forgets a UDP flow with answers. 0: as it is.',
    check: notNegative,
  }),
  windowsRunAsService: field(bool, {
    group,
    help: 'Run as a service of Windows.',
    support: noEffect('this program runs on Linux'),
  }),
};
