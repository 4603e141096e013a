import { X509Certificate } from 'node:crypto';
import { get } from 'node:https';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type ApiServerOptions, startApiServer } from './apiserver.ts';
import { CertificateAuthority } from './certificates.ts';
import { recordAt, recordsAt, textAt } from './objects.ts';

const authority = new CertificateAuthority({ commonName: 'test-authority', organization: 'tests' });

describe('certificates', () => {
  it('are what they say, and signed by their authority', () => {
    const issued = authority.issue({
      commonName: 'server',
      hosts: ['localhost', '127.0.0.1', 'fd00::1'],
      notAfter: Date.UTC(2060, 0, 1),
    });
    const certificate = new X509Certificate(issued.certificate);
    const issuer = new X509Certificate(authority.certificate);
    expect(certificate.subject).toBe('CN=server');
    expect(certificate.issuer).toBe('O=tests\nCN=test-authority');
    expect(certificate.subjectAltName).toBe(
      'DNS:localhost, IP Address:127.0.0.1, IP Address:FD00:0:0:0:0:0:0:1',
    );
    expect(certificate.validTo).toBe('Jan  1 00:00:00 2060 GMT');
    expect([issuer.ca, certificate.ca]).toEqual([true, false]);
    expect(certificate.verify(issuer.publicKey)).toBe(true);
    expect(
      certificate.verify(
        new X509Certificate(new CertificateAuthority({ commonName: 'x' }).certificate).publicKey,
      ),
    ).toBe(false);
  });
});

/** What a client that trusts `ca` gets from a new server: a status, or the code of the failure. */
async function ask(
  options: ApiServerOptions,
  client: { ca?: string; cert?: string; key?: string } = {},
): Promise<number | string> {
  await using server = await startApiServer(options);
  return await new Promise((resolve) => {
    const headers =
      client.cert === undefined ? { authorization: `Bearer ${server.credentials.any()}` } : {};
    const sent = get(
      `${server.url}/version`,
      { ca: server.authority, headers, agent: false, ...client },
      (message) => {
        message.resume();
        resolve(message.statusCode ?? 0);
      },
    );
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

describe('TLS', () => {
  it('works for those who know the authority', async () => {
    expect(await ask({})).toBe(200);
  });

  it('fails for those who do not', async () => {
    expect(await ask({}, { ca: authority.certificate })).toBe('SELF_SIGNED_CERT_IN_CHAIN');
  });

  it('fails with a certificate that has ended', async () => {
    expect(await ask({ certificateEnds: Date.now() - 1000 })).toBe('CERT_HAS_EXPIRED');
  });

  it('takes no certificate of a stranger for a user', async () => {
    const { certificate: cert, key } = authority.issue({ commonName: 'stranger' });
    expect(await ask({}, { cert, key })).toBe(401);
  });
});

describe('kubeconfig', () => {
  it('names the server, its authority and a user', async () => {
    await using server = await startApiServer({ tokens: { secret: 'admin' } });
    const config: unknown = parse(server.kubeconfig());
    const cluster = recordAt(recordsAt(config, 'clusters')[0], 'cluster');
    expect(cluster['server']).toBe(server.url);
    expect(Buffer.from(textAt(cluster, 'certificate-authority-data'), 'base64').toString()).toBe(
      server.authority,
    );
    expect(recordsAt(config, 'users')[0]).toMatchObject({ user: { token: 'secret' } });
  });

  it('can hold a client certificate, which the server takes', async () => {
    await using server = await startApiServer();
    const user = recordAt(
      recordsAt(parse(server.kubeconfig({ certificateFor: 'node-1' })), 'users')[0],
      'user',
    );
    const [cert, key] = ['client-certificate-data', 'client-key-data'].map((field) =>
      Buffer.from(textAt(user, field), 'base64').toString(),
    );
    const code = await new Promise((resolve, reject) => {
      get(`${server.url}/version`, { ca: server.authority, cert, key, agent: false }, (message) =>
        resolve(message.resume().statusCode),
      ).on('error', reject);
    });
    expect(code).toBe(200);
    expect(server.requests.all({ path: '/version' })[0]?.user).toBe('node-1');
  });
});
