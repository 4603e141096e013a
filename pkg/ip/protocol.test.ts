import { expect, test } from 'vitest';
import { protocolFromNumber, protocolLabel, protocolNumber, protocols } from './protocol.ts';

test.each([
  ['TCP', 6, 'tcp'],
  ['UDP', 17, 'udp'],
  ['SCTP', 132, 'sctp'],
] as const)('%s is IPPROTO %i and prints as %s', (protocol, number, label) => {
  expect(protocolNumber(protocol)).toBe(number);
  expect(protocolFromNumber(number)).toBe(protocol);
  expect(protocolLabel(protocol)).toBe(label);
});

test.each([
  ['ICMP', 1],
  ['UDP-Lite', 136],
  ['none', 0],
])('%s is no protocol of a Service', (_, number) => {
  expect(protocolFromNumber(number)).toBeUndefined();
});

test('there are three of them', () => {
  expect(protocols).toEqual(['TCP', 'UDP', 'SCTP']);
});
