import type { Connection } from '../netlink/connection.ts';
import { getGeneration } from './schema.ts';

/**
 * Asks for the number of nf_tables' rules of a namespace, which every change of any of them raises; `undefined` where the
 * kernel does not say. The connection is one of NETLINK_NETFILTER; whoever opened it closes it.
 */
export function nftGeneration(connection: Connection): () => number | undefined {
  return () => {
    try {
      const request = { family: 0, body: {} };
      const [reply] = connection.request(getGeneration, request, 'read the nf_tables generation');
      return reply?.body.id;
    } catch {
      // Without an answer rules are compared whole, and what is wrong shows there.
      return undefined;
    }
  };
}
