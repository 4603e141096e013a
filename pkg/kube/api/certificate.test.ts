import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import { createServer, type TlsOptions } from 'node:tls';
import { CertificateAuthority } from '@kube-proxy-ipvs/test-apiserver/certificates';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seconds } from '../../runner/clock.ts';
import { type ManualClock, manualClock } from '../../runner/manual-clock.ts';
import type { Connection, Credentials } from '../credentials/connection.ts';
import type { ConfigSource } from '../credentials/kubeconfig.ts';
import { proxyAgent } from '../credentials/library.ts';
import { noMetrics } from '../metrics.ts';
import { explainCertificate, isCertificateError } from './certificate.ts';
import { HttpClient } from './client.ts';

const ours = new CertificateAuthority({ commonName: 'our-authority' });
const foreign = new CertificateAuthority({ commonName: 'foreign-authority' });
const me = ours.issue({ commonName: 'system:kube-proxy' });
const hosts = ['127.0.0.1'];
const source: ConfigSource = {
  place: 'kubeconfig',
  folder: '/',
  read: () => ({ cluster: {}, user: {} }),
};

let servers: TcpServer[];
let sockets: Set<Socket>;
/** What the API server got from its clients: the subjects of their certificates, and their data. */
let seen: string[];
let clock: ManualClock;
let clients: HttpClient[];

beforeEach(() => {
  [servers, sockets, seen, clients] = [[], new Set(), [], []];
  clock = manualClock();
});

afterEach(async () => {
  for (const client of clients) client.close();
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  expect(clock.pending()).toBe(0);
});

async function listen(server: TcpServer): Promise<number> {
  servers.push(server);
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Starts a server with a certificate that records what it gets. */
function tlsServer(options: TlsOptions): Promise<number> {
  const all = { requestCert: true, rejectUnauthorized: false, ...options };
  const server = createServer(all, (socket) => {
    const { subject } = socket.getPeerCertificate();
    seen.push(`shown ${subject === undefined ? 'nothing' : String(subject.CN)}`);
    socket.on('error', () => {});
    socket.on('data', (data) => {
      seen.push(data.toString().split('\r\n', 1)[0] ?? '');
      socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}');
    });
  });
  server.on('tlsClientError', () => {});
  return listen(server);
}

/** Starts a proxy. Returns its URL and the targets that clients asked for. */
async function proxyServer(): Promise<{ proxy: string; targets: string[] }> {
  const targets: string[] = [];
  const server = createHttpServer().on('connect', (request, socket) => {
    targets.push(request.url ?? '');
    const target = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(socket).pipe(target);
    });
    sockets.add(target.on('error', () => socket.destroy()));
    socket.on('error', () => target.destroy());
  });
  return { proxy: `http://127.0.0.1:${await listen(server)}`, targets };
}

const trusting = (ca: CertificateAuthority): Credentials => ({
  headers: { authorization: 'Bearer secret-token' },
  tls: { ca: ca.certificate, cert: me.certificate, key: me.key },
  places: { authority: '/etc/ca.crt', clientCertificate: '/etc/client.crt' },
  agent: undefined,
});

function client(connection: Connection): HttpClient {
  const made = new HttpClient({
    connection,
    clock,
    metrics: noMetrics,
    userAgent: 'kube-proxy/test',
  });
  clients.push(made);
  return made;
}

function fixed(port: number, credentials: Credentials): Connection {
  return { server: new URL(`https://127.0.0.1:${port}`), credentials: async () => credentials };
}

async function failure(connection: Connection): Promise<string> {
  const error = await client(connection)
    .get('/version')
    .catch((reason: Error) => reason);
  return error instanceof Error ? error.message : 'it was answered';
}

function shown({ certificate, key }: { certificate: string; key: string }): TlsOptions {
  return { cert: certificate, key };
}

describe('a certificate of the server that is refused is reported with ours, and where ours stands', () => {
  const day = 86_400_000; // ms
  const valid = 'valid from [^;]+ to [^;]+ GMT$';
  const trusted = 'we trust /etc/ca\\.crt: CN=our-authority \\(until [^)]+ GMT\\)';
  test.each([
    [
      'of another authority',
      foreign.issue({ commonName: 'evil', hosts }),
      `the server's certificate is not signed by an authority that we trust; ${trusted}; it shows subject CN=evil \\(IP Address:127\\.0\\.0\\.1\\), issuer CN=foreign-authority, ${valid}`,
    ],
    [
      'for another name',
      ours.issue({ commonName: 'other', hosts: ['other.example'] }),
      `the server's certificate is for other names, not 127\\.0\\.0\\.1; ${trusted}; it shows subject CN=other \\(DNS:other\\.example\\), issuer CN=our-authority, ${valid}`,
    ],
    [
      'that has expired',
      ours.issue({ commonName: 'old', hosts, notAfter: Date.now() - day }),
      `has expired; ${trusted}; it shows subject CN=old .*${valid}`,
    ],
    [
      'with names without end',
      foreign.issue({
        commonName: 'n',
        hosts: Array.from({ length: 100 }, (_, i) => `n${i}.example`),
      }),
      `\\(DNS:n0\\.example, .{70,90}…\\), issuer`,
    ],
  ])('one %s', async (_name, pair, expected) => {
    const port = await tlsServer(shown(pair));
    const message = await failure(fixed(port, trusting(ours)));
    expect(message).toMatch(new RegExp(expected));
    expect(message).not.toContain('--use-');
    expect(seen).not.toContain('GET /version HTTP/1.1');
  });

  test('without an authority of ours', async () => {
    const port = await tlsServer(shown(foreign.issue({ commonName: 'evil', hosts })));
    const message = await failure(fixed(port, { headers: {}, tls: {}, agent: undefined }));
    expect(message).toMatch(/no certificate-authority is configured, so those that come with Node/);
  });

  test('and of a bundle the first few', async () => {
    const more = ['b', 'c', 'd', 'e'].map((commonName) => new CertificateAuthority({ commonName }));
    const ca = [ours, ...more].map(({ certificate }) => certificate).join('\n');
    const port = await tlsServer(shown(foreign.issue({ commonName: 'evil', hosts })));
    const { headers, agent } = trusting(ours);
    const message = await failure(fixed(port, { headers, agent, tls: { ca } }));
    expect(message).toMatch(
      /we trust the credentials: CN=our-authority \([^)]+\), CN=b \([^)]+\), CN=c \([^)]+\) and 2 more;/,
    );
  });
});

test('a certificate of ours that the server refuses is reported, and where it stands', async () => {
  const error = Object.assign(
    new Error('SSL routines:ssl3_read_bytes:sslv3 alert bad certificate'),
    {
      code: 'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
    },
  );
  const server = new URL('https://192.168.0.1');
  expect(isCertificateError(error)).toBe(true);
  expect(await explainCertificate(error, { server, credentials: trusting(ours), clock })).toMatch(
    /^the server refuses our client certificate from \/etc\/client\.crt: subject CN=system:kube-proxy, issuer CN=our-authority/,
  );
});

describe('the look at a certificate', () => {
  const evil = shown(foreign.issue({ commonName: 'evil', hosts }));

  test('shows none of ours and sends nothing', async () => {
    // With TLS 1.2 a client sends its certificate before it has verified the server's. Two requests do, the two checks do not.
    const port = await tlsServer({ ...evil, maxVersion: 'TLSv1.2' });
    await failure(fixed(port, trusting(ours)));
    expect(seen.toSorted()).toEqual([
      'shown nothing',
      'shown nothing',
      'shown system:kube-proxy',
      'shown system:kube-proxy',
    ]);
  });

  test('goes through the proxy, as requests do', async () => {
    const port = await tlsServer({ ...evil, maxVersion: 'TLSv1.2' });
    const { proxy, targets } = await proxyServer();
    const server = new URL(`https://127.0.0.1:${port}`);
    const agent = await proxyAgent(source, { server, proxy });
    const message = await failure(fixed(port, { ...trusting(ours), agent }));
    expect(message).toContain('it shows subject CN=evil');
    expect(targets).toEqual(Array(4).fill(`127.0.0.1:${port}`));
    expect(seen.filter((line) => line === 'shown nothing')).toHaveLength(2);
  });

  test('is given up where nobody answers', async () => {
    const port = await tlsServer(evil);
    const looks = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let connections = 0;
    const silent = createTcpServer((socket) => {
      connections++;
      if (connections % 2 === 0) return looks[connections / 2 - 1]?.resolve();
      const target = connect(port, '127.0.0.1'); // for a request: it reaches the server
      sockets.add(target.on('error', () => socket.destroy()));
      return target.pipe(socket).pipe(target);
    });
    const message = failure(fixed(await listen(silent), trusting(ours)));
    for (const { promise } of looks) {
      await promise;
      await clock.advance(seconds(5));
    }
    expect(await message).toMatch(/an authority that we trust; we trust [^;]+$/);
    expect(connections).toBe(4);
  });
});

test('requests through a proxy show the certificates of each request', async () => {
  const port = await tlsServer({
    ...shown(ours.issue({ commonName: 'server', hosts })),
    maxVersion: 'TLSv1.2',
  });
  const { proxy } = await proxyServer();
  const server = new URL(`https://127.0.0.1:${port}`);
  const agent = await proxyAgent(source, { server, proxy });
  expect(await client(fixed(port, { ...trusting(ours), agent })).get('/version')).toEqual({});
  expect(seen).toEqual(['shown system:kube-proxy', 'GET /version HTTP/1.1']);
  expect(await failure(fixed(port, { ...trusting(foreign), agent }))).toContain('not signed by');
});

test('a server whose certificate cannot be verified is asked once more with all read anew', async () => {
  const old = await tlsServer(shown(foreign.issue({ commonName: 'moved', hosts })));
  const port = await tlsServer(shown(ours.issue({ commonName: 'server', hosts })));
  let server = new URL(`https://127.0.0.1:${old}`);
  const asked: boolean[] = [];
  const connection: Connection = {
    get server() {
      return server;
    },
    async credentials({ fresh }) {
      asked.push(fresh);
      if (fresh) server = new URL(`https://127.0.0.1:${port}`);
      return trusting(ours);
    },
  };
  expect(await client(connection).get('/version')).toEqual({});
  expect(asked).toEqual([false, true]);
});
