import type { HttpRequest } from '../../pkg/health/request.ts';

/** A GET of a client on loopback, without parameters and headers. */
export function loopbackRequest(path: string): HttpRequest {
  return {
    method: 'GET',
    path,
    query: new URLSearchParams(),
    header: () => '',
    body: async () => '',
    takes: () => undefined,
    isFromLoopback: true,
    signal: new AbortController().signal,
  };
}
