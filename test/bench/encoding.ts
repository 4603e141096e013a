import { newDest } from '../../pkg/ipvs/commands.ts';
import { destOf, serviceIdOf } from '../../pkg/ipvs/convert.ts';
import { putMessage } from '../../pkg/netlink/message.ts';
import { Writer } from '../../pkg/wire/writer.ts';
import { ip } from '../support/addresses.ts';

/** How many are encoded at a time, and how many times: the best one counts, as others may want the CPU as well. */
const some = 1_000;
const times = 200;

/** Microseconds to make the message of one destination, by walking its table: the first thousand, and the best of many. */
export function encodeDestinations(): { readonly cold: number; readonly warm: number } {
  const writer = new Writer(65_536);
  const row = { ...newDest, type: 30 };
  const virtualServer = { address: ip('172.30.0.1'), protocol: 'TCP', port: 443 } as const;
  const realServer = {
    address: ip('10.0.0.7'),
    port: 8080,
    weight: 1,
    forwarding: 'masquerade' as const,
    upperThreshold: 0,
    lowerThreshold: 0,
  };
  const encode = (count: number): number => {
    const start = performance.now();
    for (let made = 0; made < count; made++) {
      if (made % 64 === 0) writer.truncate(0);
      const value = { service: serviceIdOf(virtualServer), dest: destOf(realServer) };
      putMessage(writer, row, value);
    }
    return ((performance.now() - start) / count) * 1000;
  };
  const cold = encode(some);
  return { cold, warm: Math.min(...Array.from({ length: times }, () => encode(some))) };
}
