import { seconds } from '../runner/clock.ts';
import type { Route } from './http.ts';
import { refusalOffLoopback, refusalOfMethod } from './loopback-only.ts';
import { jsonReply, type Reply, textReply } from './reply.ts';

/** What this node serves, in pages. */
export interface StatusSource {
  /** Whether clients get it that do not come by a loopback address. */
  readonly isOpen: boolean;
  /** The page that some parameters ask for, or what is wrong with them. Whoever waits for his turn leaves when the signal aborts. */
  answer(
    parameters: URLSearchParams,
    signal: AbortSignal,
  ): Promise<{ readonly json: string } | { readonly problem: string }>;
  /** The answer to a question about a packet, what is wrong with it, or for how many milliseconds no more are answered. */
  explain(
    parameters: URLSearchParams,
    signal: AbortSignal,
  ): Promise<
    | { readonly format: 'json' | 'text'; readonly body: string }
    | { readonly problem: string }
    | { readonly busyFor: number }
  >;
  /** The page for people, which shows these. */
  readonly page: () => Promise<{ readonly html: string; readonly contentSecurityPolicy: string }>;
}

/** How long a client may wait until those before it have their pages, besides the usual time. */
const patience = seconds(20);

/** Answers with one page of what this node serves. */
export function statusRoute(source: StatusSource): Route {
  return guarded(source, async (request) => {
    request.takes(patience);
    const answer = await source.answer(request.query, request.signal);
    if ('problem' in answer) return textReply(400, `${answer.problem}\n`);
    return notKept(jsonReply(200, answer.json));
  });
}

/** How long an explanation may take, with those before it: reading the rules of a large node takes seconds. */
const explainPatience = seconds(60);

/** Answers with what becomes of a packet. */
export function explainRoute(source: StatusSource): Route {
  return guarded(source, async (request) => {
    request.takes(explainPatience);
    const answer = await source.explain(request.query, request.signal);
    if ('problem' in answer) return notKept(textReply(400, `${answer.problem}\n`));
    if ('busyFor' in answer) {
      const wait = Math.ceil(answer.busyFor / 1000);
      const { status, headers, body } = textReply(429, `asked too often: wait ${wait} s\n`);
      return notKept({ status, headers: { ...headers, 'Retry-After': String(wait) }, body });
    }
    const { format, body } = answer;
    return notKept(format === 'json' ? jsonReply(200, body) : textReply(200, body));
  });
}

function notKept({ status, headers, body }: Reply): Reply {
  return { status, headers: { ...headers, 'Cache-Control': 'no-store' }, body };
}

/** Answers with the page for people, to the same clients. */
export function statusPageRoute(source: StatusSource): Route {
  return guarded(source, async () => {
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
  });
}

/** A route that answers those clients, and those methods, that the status may be shown to. */
function guarded(source: StatusSource, route: Route): Route {
  const reason = 'served on loopback only, unless --ipvs-status-page is set';
  return (request) => {
    const refused = source.isOpen ? undefined : refusalOffLoopback(request, reason);
    return refused ?? refusalOfMethod(request) ?? route(request);
  };
}
