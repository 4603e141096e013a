import { expect, test } from 'vitest';
import { loopbackRequest } from '../../test/support/http-request.ts';
import { get, serve } from '../../test/support/http-server.ts';
import { logRoute } from './log-route.ts';

const request = loopbackRequest('/debug/ipvs/log');

test('a client on loopback gets the last lines as text that nobody keeps', async () => {
  const { port } = await serve(new Map([['/debug/ipvs/log', logRoute(() => 'one\ntwo\n')]]));
  const { status, headers, body } = await get(`http://127.0.0.1:${port}/debug/ipvs/log`);
  expect([status, body]).toEqual([200, 'one\ntwo\n']);
  expect(headers.get('content-type')).toBe('text/plain; charset=utf-8');
  expect(headers.get('cache-control')).toBe('no-store');
});

test.each([
  ['from elsewhere', { isFromLoopback: false }, 403],
  ['that was led here by another name', { header: () => 'evil.example' }, 403],
  ['that does not only read', { method: 'POST' }, 405],
])('a client %s gets nothing', async (_, over, status) => {
  const route = logRoute(() => expect.unreachable());
  expect((await route({ ...request, ...over })).status).toBe(status);
});
