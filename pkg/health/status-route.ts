import { seconds } from '../runner/clock.ts';
import type { Route } from './http.ts';
import { refusalOffLoopback, refusalOfMethod } from './loopback-only.ts';
import { jsonReply, type Reply, textReply } from './reply.ts';
import type { HttpRequest } from './request.ts';

/** What this node serves, in pages. */
export interface StatusSource {
  /** Whether clients get it that do not come by a loopback address. */
  readonly isOpen: boolean;
  /** The page that some parameters ask for, or what is wrong with them. Whoever waits for his turn leaves when the signal aborts. */
  answer(
    parameters: URLSearchParams,
    signal: AbortSignal,
  ): Promise<{ readonly json: string } | { readonly problem: string }>;
  /** The page for people, which shows these. */
  readonly page: () => Promise<{ readonly html: string; readonly contentSecurityPolicy: string }>;
}

/** How long a client may wait until those before it have their pages, besides the usual time. */
const patience = seconds(20);

/** Answers with one page of what this node serves. */
export function statusRoute(source: StatusSource): Route {
  return async (request) => {
    const refused = refusal(request, source);
    if (refused !== undefined) return refused;
    request.takes(patience);
    const answer = await source.answer(request.query, request.signal);
    if ('problem' in answer) return textReply(400, `${answer.problem}\n`);
    const { status, headers, body } = jsonReply(200, answer.json);
    return { status, headers: { ...headers, 'Cache-Control': 'no-store' }, body };
  };
}

/** Answers with the page for people, to the same clients. */
export function statusPageRoute(source: StatusSource): Route {
  return async (request) => {
    const refused = refusal(request, source);
    if (refused !== undefined) return refused;
    const { html, contentSecurityPolicy } = await source.page();
    const headers = {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': contentSecurityPolicy,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Cross-Origin-Resource-Policy': 'same-origin',
      'Cache-Control': 'no-store',
    };
    return { status: 200, headers, body: html };
  };
}

/** Why a request is not answered; `undefined` if it is. */
function refusal(request: HttpRequest, { isOpen }: StatusSource): Reply | undefined {
  const reason = 'served on loopback only, unless --ipvs-status-page is set';
  const refused = isOpen ? undefined : refusalOffLoopback(request, reason);
  return refused ?? refusalOfMethod(request);
}
