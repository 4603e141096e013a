/** A transport protocol that a Service port can have, as the API spells it. */
export type Protocol = 'TCP' | 'UDP' | 'SCTP';

/** Every protocol, in the order in which the API documents them. */
export const protocols: readonly Protocol[] = ['TCP', 'UDP', 'SCTP'];

const numbers: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 };

/** IPPROTO_* of a protocol, from linux/in.h. */
export function protocolNumber(protocol: Protocol): number {
  return numbers[protocol];
}

/** The protocol of an IPPROTO_* number, or `undefined` for one that no Service can have. */
export function protocolFromNumber(number: number): Protocol | undefined {
  return protocols.find((protocol) => numbers[protocol] === number);
}

/** The protocol's name as ipset and iptables print it. */
export function protocolLabel(protocol: Protocol): 'tcp' | 'udp' | 'sctp' {
  return protocol === 'TCP' ? 'tcp' : protocol === 'UDP' ? 'udp' : 'sctp';
}
