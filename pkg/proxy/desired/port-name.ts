import type { Family } from '../../ip/address.ts';
import type { Protocol } from '../../ip/protocol.ts';

/** What tells the ports of a Service apart, and what its slices name them by. */
export interface PortName {
  readonly family: Family;
  readonly protocol: Protocol;
  readonly name: string;
}

/** Stands for all ports of a Service that is entered at once. */
export const allPorts: PortName = { family: 'IPv4', protocol: 'TCP', name: '' };

/** Whether two names are those of one port of a Service. */
export function isSamePort(one: PortName, other: PortName): boolean {
  return one.family === other.family && one.protocol === other.protocol && one.name === other.name;
}
