import { addressFromBytes, type IpAddress, parseAddress } from '../ip/address.ts';
import type { Protocol } from '../ip/protocol.ts';
import type { IpvsConnection } from './connections.ts';

/** The heading of the table. */
const heading = /^Pro FromIP +FPrt ToIP +TPrt DestIP +DPrt State +Expires\b/;

/**
 * `TCP CB007107 5208 C0A8000A 7580 0A000101 1F90 ESTABLISHED     899`. IPv6 addresses are written in full, with colons. Data of a
 * persistence engine at the end is ignored.
 */
const entry =
  /^([A-Z]+) +([0-9A-F]{8}|[0-9a-f:]{39}) ([0-9A-F]{4}) ([0-9A-F]{8}|[0-9a-f:]{39}) ([0-9A-F]{4}) ([0-9A-F]{8}|[0-9a-f:]{39}) ([0-9A-F]{4}) (\S{1,16}) +\d+(?: |$)/;

/** Entries of other protocols (`IP`, `AH`, `IP_47`), which we do not have. */
const otherProtocol = /^(?!(?:TCP|UDP|SCTP)\b)[A-Z_0-9]{1,8} /;

const hexAddress = /^[0-9A-F]{8}$/;

/** Whether a line is the heading of /proc/net/ip_vs_conn. */
export function isHeading(line: string): boolean {
  return heading.test(line);
}

/** Parses one line of /proc/net/ip_vs_conn; `other` for protocols other than TCP, UDP and SCTP, `undefined` if it is invalid. */
export function parseConnection(line: string): IpvsConnection | 'other' | undefined {
  if (otherProtocol.test(line)) return 'other';
  const found = entry.exec(line);
  if (found === null) return undefined;
  const [, protocol, client, clientPort, address, port, realAddress, realPort, state] =
    found as unknown as readonly [string, Protocol, ...string[]];
  const [from, to, real] = [client, address, realAddress].map(addressOf);
  if (from === undefined || to === undefined || real === undefined) return undefined;
  return {
    protocol,
    client: from,
    clientPort: portOf(clientPort),
    address: to,
    port: portOf(port),
    realAddress: real,
    realPort: portOf(realPort),
    state: state ?? '',
  };
}

function addressOf(text = ''): IpAddress | undefined {
  if (hexAddress.test(text)) return addressFromBytes(Buffer.from(text, 'hex'));
  return text.includes(':') ? parseAddress(text) : undefined;
}

function portOf(text = ''): number {
  return Number.parseInt(text, 16);
}
