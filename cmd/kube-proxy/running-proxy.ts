import { request } from 'node:http';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import {
  familyOf,
  type IpAddress,
  isLoopback,
  isUnspecified,
  loopback,
} from '../../pkg/ip/address.ts';

/** How long a page of the running proxy may take, in milliseconds. */
const patience = 5_000;

/** What is asked of the proxy that runs on this node. */
export interface RunningProxyPage {
  readonly path: string;
  /** How many bytes are read. */
  readonly limit: number;
}

/**
 * Reads a page of the metrics server of the proxy that runs on this node, over loopback. Throws if there is none, if it does not listen
 * there, if it takes too long, or if the page is too large.
 */
export function readRunningProxy(
  { metrics: server }: Pick<ProxyConfig, 'metrics'>,
  { path, limit }: RunningProxyPage,
): Promise<string> {
  if (server === undefined)
    return Promise.reject(new Error('the metrics server is not configured'));
  const host = loopbackOf(server.address);
  if (host === undefined)
    return Promise.reject(new Error(`the metrics server listens on ${server.address} alone`));
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(patience);
    const asked = request({ host, port: server.port, path, signal, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      let size = 0;
      answer.on('data', (part: Buffer) => {
        size += part.length;
        if (size > limit) asked.destroy(new Error(`${path} has more than ${limit} bytes`));
        else parts.push(part);
      });
      answer.on('error', fail);
      answer.on('end', () => {
        const { statusCode } = answer;
        if (statusCode === 200) resolve(Buffer.concat(parts).toString('utf8'));
        else reject(new Error(`${path} is answered with status ${statusCode}`));
      });
    });
    const fail = (error: Error) =>
      reject(signal.aborted ? new Error(`${path} took more than ${patience / 1000} s`) : error);
    asked.on('error', fail);
    asked.end();
  });
}

/** Where a server that listens on an address is reached over loopback. */
function loopbackOf(address: IpAddress): IpAddress | undefined {
  if (isLoopback(address)) return address;
  return isUnspecified(address) ? loopback(familyOf(address)) : undefined;
}
