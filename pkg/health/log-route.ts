import type { Route } from './http.ts';
import { refusalOffLoopback, refusalOfMethod } from './loopback-only.ts';
import { textReply } from './reply.ts';

/** Answers clients on loopback with the last lines of the log. */
export function logRoute(read: () => string): Route {
  return (request) => {
    const reason = 'served on loopback only';
    const refused = refusalOffLoopback(request, reason) ?? refusalOfMethod(request);
    if (refused !== undefined) return refused;
    const { status, headers, body } = textReply(200, read());
    return { status, headers: { ...headers, 'Cache-Control': 'no-store' }, body };
  };
}
