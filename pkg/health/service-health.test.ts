import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { listenRestartably } from '@kube-proxy-ipvs/test-apiserver/restartable-port';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseAddress } from '../ip/address.ts';
import type { ServiceHealth } from '../kube/types.ts';
import { manualClock } from '../runner/manual-clock.ts';
import { ServiceHealthServers } from './service-health.ts';

/** The servers on every address, and what they said. */
function started() {
  const clock = manualClock();
  const failures: string[] = [];
  const logged: string[] = [];
  const proxy = { isHealthy: true };
  const everywhere = parseAddress('::');
  if (everywhere === undefined) throw new Error('::');
  const servers = new ServiceHealthServers({
    name: 'service health server',
    isProxyHealthy: () => proxy.isHealthy,
    onFailed: ({ namespace, name }, { code }) => failures.push(`${namespace}/${name}: ${code}`),
    clock,
    log: { error: (message) => void logged.push(message) },
  });
  servers.setAddresses([everywhere]);
  const controller = new AbortController();
  const ended = servers.run(controller.signal);
  const stop = async () => {
    controller.abort();
    await ended;
  };
  onTestFinished(async () => {
    await stop();
    expect(clock.pending()).toBe(0);
  });
  return { servers, clock, failures, logged, proxy, stop };
}

/** A port that nobody has, on any address. */
async function port(): Promise<number> {
  const server = createServer();
  const found = await listenRestartably(async (candidate) => {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(candidate, '::', resolve);
    });
  });
  await new Promise((resolve) => server.close(resolve));
  return found;
}

function web(over: Partial<ServiceHealth> = {}): ServiceHealth {
  return { namespace: 'shop', name: 'web', uid: 'u', port: 0, localEndpoints: 2, ...over };
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** The answer, or the code of the failure to get one. */
async function ask(
  where: { port: number; host?: string },
  { method = 'GET', path = '/' } = {},
): Promise<Answer | string> {
  return await new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', ...where, method, path, agent: false }, (answer) => {
      let body = '';
      answer.on('data', (chunk) => (body += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body }));
    });
    asked.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    asked.end();
  });
}

/** Asks until there is an answer, or none any more. */
async function until(where: { port: number }, isRight: (answer: Answer | string) => boolean) {
  await expect.poll(async () => isRight(await ask(where))).toBe(true);
}

const isAnswer = (answer: Answer | string) => typeof answer === 'object';

describe('a Service with a health-check node port', () => {
  test('is answered for with its count, its names and the proxy’s health', async () => {
    const { servers } = started();
    const where = { port: await port() };
    servers.set('shop/web', web(where));
    await until(where, isAnswer);
    expect(await ask(where)).toMatchObject({
      status: 200,
      headers: {
        'content-type': 'application/json',
        'x-content-type-options': 'nosniff',
        'x-load-balancing-endpoint-weight': '2',
      },
      body: [
        '{',
        '\t"service": {',
        '\t\t"namespace": "shop",',
        '\t\t"name": "web"',
        '\t},',
        '\t"localEndpoints": 2,',
        '\t"serviceProxyHealthy": true',
        '}',
      ].join('\n'),
    });
  });

  test.each([
    ['without local endpoints', { localEndpoints: 0 }, true, 503, '0'],
    ['while the proxy is out of step', { localEndpoints: 3 }, false, 503, '3'],
    ['with both', { localEndpoints: 3 }, true, 200, '3'],
  ])('%s', async (_, over, isHealthy, status, weight) => {
    const { servers, proxy } = started();
    const where = { port: await port() };
    servers.set('shop/web', web({ ...where, localEndpoints: 1 }));
    await until(where, isAnswer);
    proxy.isHealthy = isHealthy;
    servers.set('shop/web', web({ ...where, ...over }));
    expect(await ask(where, { method: 'POST', path: '/whatever?x' })).toMatchObject({
      status,
      headers: { 'x-load-balancing-endpoint-weight': weight },
    });
  });

  test('is answered for in both families by one socket', async () => {
    const { servers, failures } = started();
    const where = { port: await port() };
    servers.set('shop/web', web(where));
    await until(where, isAnswer);
    expect(await ask({ ...where, host: '::1' })).toMatchObject({ status: 200 });
    expect(failures).toEqual([]);
  });

  test('whose port changes is answered for at the new one only', async () => {
    const { servers } = started();
    const first = { port: await port() };
    const second = { port: await port() };
    servers.set('shop/web', web(first));
    await until(first, isAnswer);
    servers.set('shop/web', web(second));
    await until(second, isAnswer);
    await until(first, (answer) => answer === 'ECONNREFUSED');
  });

  test('hands its port on to another Service, and its connections are cut', async () => {
    const { servers, failures } = started();
    const where = { port: await port() };
    servers.set('shop/web', web(where));
    await until(where, isAnswer);
    const idle = await open(where);
    servers.set('shop/web', undefined);
    servers.set('shop/other', web({ ...where, name: 'other' }));
    await idle.closed;
    await until(where, (answer) => typeof answer === 'object' && answer.body.includes('other'));
    expect(failures).toEqual([]);
  });
});

test('ports move to other addresses, and stay open where they may', async () => {
  const { servers, failures } = started();
  const where = { port: await port() };
  servers.set('shop/web', web(where));
  await until(where, isAnswer);
  const at = (host: string) => ask({ ...where, host });
  const addresses = (...texts: readonly string[]) =>
    servers.setAddresses(texts.flatMap((text) => parseAddress(text) ?? []));
  addresses('127.0.0.1', '127.0.0.2');
  await expect.poll(async () => isAnswer(await at('127.0.0.2'))).toBe(true);
  await until(where, isAnswer);
  expect(await at('::1')).toBe('ECONNREFUSED');
  const idle = await open(where);
  addresses('127.0.0.1', '::1');
  await expect.poll(async () => isAnswer(await at('::1'))).toBe(true);
  await expect.poll(async () => await at('127.0.0.2')).toBe('ECONNREFUSED');
  expect(idle.socket.destroyed).toBe(false);
  addresses('::');
  await expect.poll(async () => isAnswer(await at('127.0.0.2'))).toBe(true);
  await idle.closed;
  expect(failures).toEqual([]);
});

test('a port that is handed on before it is open is opened once', async () => {
  const { servers, failures } = started();
  const where = { port: await port() };
  for (const name of ['first', 'second', 'third']) {
    servers.set('shop/last', undefined);
    servers.set('shop/last', web({ ...where, name }));
    servers.set('shop/last', undefined);
    servers.set(`shop/${name}`, web({ ...where, name }));
    if (name !== 'third') servers.set(`shop/${name}`, undefined);
  }
  await until(where, (answer) => typeof answer === 'object' && answer.body.includes('third'));
  expect(failures).toEqual([]);
});

test('a port that is taken is reported once, and opened when it is free', async () => {
  const { servers, clock, failures, logged } = started();
  const where = { port: await port() };
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(where.port, '::', resolve));
  servers.set('shop/web', web(where));
  await expect.poll(() => failures).toEqual(['shop/web: EADDRINUSE']);
  await expect.poll(() => clock.pending()).toBe(1);
  await clock.advance(5000);
  await expect.poll(() => clock.pending()).toBe(1);
  await new Promise((resolve) => other.close(resolve));
  await clock.advance(5000);
  await until(where, isAnswer);
  expect(failures).toHaveLength(1);
  expect(logged).toEqual(['service health server cannot listen, retrying']);
});

test('clients of all Services together are bounded', async () => {
  const { servers } = started();
  const ports = [{ port: await port() }, { port: await port() }];
  for (const [index, where] of ports.entries()) servers.set(`shop/${index}`, web(where));
  for (const where of ports) await until(where, isAnswer);
  const clients = await Promise.all(
    Array.from({ length: 60 }, async (_, index) => await open(ports[index % 2] ?? { port: 0 })),
  );
  const isOpen = () => clients.filter(({ socket }) => !socket.destroyed).length;
  // The node's own addresses, which these are, have room for 50.
  await expect.poll(isOpen).toBeLessThanOrEqual(50);
});

test('the end closes every port, and nothing is opened afterwards', async () => {
  const { servers, stop } = started();
  const where = { port: await port() };
  servers.set('shop/web', web(where));
  await until(where, isAnswer);
  await stop();
  expect(await ask(where)).toBe('ECONNREFUSED');
  servers.set('shop/late', web(where));
  expect(await ask(where)).toBe('ECONNREFUSED');
});

/** A client that sends nothing. */
async function open(where: { port: number }): Promise<{ socket: Socket; closed: Promise<void> }> {
  const socket = connect({ host: '127.0.0.1', ...where });
  onTestFinished(() => void socket.destroy());
  // A cut connection may be a reset.
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise((resolve) => socket.once('connect', resolve));
  return { socket, closed };
}
