import { describe, expect, test } from 'vitest';
import { loopbackRequest } from '../../test/support/http-request.ts';
import { get, serve } from '../../test/support/http-server.ts';
import type { HttpRequest } from './request.ts';
import { explainRoute, type StatusSource, statusPageRoute, statusRoute } from './status-route.ts';

const source: StatusSource = {
  isOpen: false,
  answer: async (parameters) =>
    parameters.has('bad')
      ? { problem: 'bad is bad' }
      : { json: `{"at":"${parameters.toString()}"}` },
  explain: async (parameters) => {
    if (parameters.has('bad')) return { problem: 'bad is bad' };
    if (parameters.has('often')) return { busyFor: 1500 };
    return { format: parameters.has('text') ? 'text' : 'json', body: '"Yes"' };
  },
  page: async () => ({ html: '<p>here', contentSecurityPolicy: "default-src 'none'" }),
};

/** The status that a client gets. */
async function asked(over: Partial<HttpRequest>, isOpen = false): Promise<number> {
  const request = { ...loopbackRequest('/debug/ipvs'), ...over };
  return (await statusRoute({ ...source, isOpen })(request)).status;
}

test('a client on loopback gets a page, as JSON that nobody keeps', async () => {
  const { port } = await serve(new Map([['/debug/ipvs', statusRoute(source)]]));
  const { status, headers, body } = await get(`http://127.0.0.1:${port}/debug/ipvs?limit=3`);
  expect([status, body]).toEqual([200, '{"at":"limit=3"}']);
  expect(headers.get('content-type')).toBe('application/json');
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('cache-control')).toBe('no-store');
});

test('what is wrong with the parameters is said with status 400', async () => {
  const { port } = await serve(new Map([['/debug/ipvs', statusRoute(source)]]));
  const { status, headers, body } = await get(`http://127.0.0.1:${port}/debug/ipvs?bad=1`);
  expect([status, body]).toEqual([400, 'bad is bad\n']);
  expect(headers.get('content-type')).toBe('text/plain; charset=utf-8');
});

test('a client from elsewhere gets it only where the flag says so', async () => {
  expect(await asked({ isFromLoopback: false })).toBe(403);
  expect(await asked({ isFromLoopback: false }, true)).toBe(200);
  expect(await asked({ isFromLoopback: false, header: () => 'node.example' }, true)).toBe(200);
});

test.each([
  ['', 200],
  ['localhost', 200],
  ['localhost:10249', 200],
  ['127.0.0.1:10249', 200],
  ['[::1]:10249', 200],
  ['[::1]', 200],
  ['evil.example:10249', 403],
  ['localhost.evil.example', 403],
  ['127.0.0.1.evil.example', 403],
])('a client on loopback that asks for the host %j is answered with %i', async (host, status) => {
  expect(await asked({ header: (name) => (name === 'host' ? host : '') })).toBe(status);
});

test('nothing but GET and HEAD is answered', async () => {
  for (const method of ['POST', 'PUT', 'DELETE']) expect(await asked({ method })).toBe(405);
  expect(await asked({ method: 'HEAD' })).toBe(200);
});

describe('the page for people', () => {
  test('comes with its policy, and is not kept', async () => {
    const { port } = await serve(new Map([['/debug/ipvs/', statusPageRoute(source)]]));
    const { status, headers, body } = await get(`http://127.0.0.1:${port}/debug/ipvs/`);
    expect([status, body]).toEqual([200, '<p>here']);
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(headers.get('content-security-policy')).toBe("default-src 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
    expect(headers.get('cache-control')).toBe('no-store');
  });

  test('is for the same clients', async () => {
    const request = { ...loopbackRequest('/debug/ipvs'), isFromLoopback: false };
    expect((await statusPageRoute(source)(request)).status).toBe(403);
    expect((await statusPageRoute({ ...source, isOpen: true })(request)).status).toBe(200);
  });
});

describe('explanations', () => {
  test.each([
    ['', 200, 'application/json', '"Yes"', null],
    ['?text=1', 200, 'text/plain; charset=utf-8', '"Yes"', null],
    ['?bad=1', 400, 'text/plain; charset=utf-8', 'bad is bad\n', null],
    ['?often=1', 429, 'text/plain; charset=utf-8', 'asked too often: wait 2 s\n', '2'],
  ])('%j is answered with status %i', async (query, expected, type, text, retryAfter) => {
    const { port } = await serve(new Map([['/explain', explainRoute(source)]]));
    const { status, headers, body } = await get(`http://127.0.0.1:${port}/explain${query}`);
    expect([status, body, headers.get('retry-after')]).toEqual([expected, text, retryAfter]);
    expect(headers.get('content-type')).toBe(type);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cache-control')).toBe('no-store');
  });

  test('are for the clients of the page, who may only read', async () => {
    const statusOf = async (over: Partial<HttpRequest>, isOpen = false) => {
      const request = { ...loopbackRequest('/debug/ipvs/explain'), ...over };
      return (await explainRoute({ ...source, isOpen })(request)).status;
    };
    expect(await statusOf({})).toBe(200);
    expect(await statusOf({ header: () => 'evil.example' })).toBe(403);
    expect(await statusOf({ isFromLoopback: false })).toBe(403);
    expect(await statusOf({ isFromLoopback: false }, true)).toBe(200);
    expect(await statusOf({ method: 'POST' })).toBe(405);
  });
});
