import { parseAddress } from '../ip/address.ts';
import { type Reply, textReply } from './reply.ts';
import type { HttpRequest } from './request.ts';

/** The refusal of a client that does not come by a loopback address, with a reason; `undefined` for one that does. */
export function refusalOffLoopback(request: HttpRequest, reason: string): Reply | undefined {
  if (!request.isFromLoopback) return textReply(403, `${reason}\n`);
  // A browser that was led here by a name of its own sends that name.
  return isLocalHost(request.header('host'))
    ? undefined
    : textReply(403, 'the host must be localhost or an address\n');
}

/** The refusal of a method that is not for reading; `undefined` for one that is. */
export function refusalOfMethod({ method }: HttpRequest): Reply | undefined {
  return method === 'GET' || method === 'HEAD' ? undefined : textReply(405, 'only GET\n');
}

/** Whether a header `Host` has `localhost` or an address, with or without a port; true without one. */
function isLocalHost(host: string): boolean {
  const name = host.replace(/:\d{1,5}$/, '').replace(/^\[(.*)\]$/, '$1');
  return host === '' || name === 'localhost' || parseAddress(name) !== undefined;
}
