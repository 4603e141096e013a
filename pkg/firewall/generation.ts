import type { Connection } from '../netlink/connection.ts';
import { getGeneration } from './schema.ts';

/**
 * Returns a function that reads the generation number of nf_tables' rules in a namespace, which every change raises; `undefined` if
 * the kernel has none. Takes a connection of NETLINK_NETFILTER, which the caller closes.
 */
export function nftGeneration(connection: Connection): () => number | undefined {
  return () => {
    try {
      const request = { family: 0, body: {} };
      const [reply] = connection.request(getGeneration, request, 'read the nf_tables generation');
      return reply?.body.id;
    } catch {
      // Without a number, rules are compared entirely, and that reports the error.
      return undefined;
    }
  };
}
