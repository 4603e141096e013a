import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type PeerCertificate } from 'node:tls';
import { type Clock, seconds } from '../runner/clock.ts';
import type { TlsOptions } from './connection.ts';

/** What Node calls the ways in which a server's certificate can be wrong. */
const serverCertificateErrors = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** How long the look at a certificate may take. */
const lookTimeout = seconds(5);

/**
 * Which certificate an error of a TLS connection is about, in words; '' if it is about none. For a certificate of
 * the server this opens a connection that sends nothing, looks at what is shown, and closes.
 */
export async function describeCertificate(
  error: unknown,
  { server, tls, clock }: { server: URL; tls: TlsOptions; clock: Clock },
): Promise<string> {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  if (serverCertificateErrors.has(code)) {
    const certificate = await shownCertificate(server, { tls, clock });
    return certificate === undefined ? '' : `the server's certificate: ${inWords(certificate)}`;
  }
  const isAlert = code.startsWith('ERR_SSL') && /alert.*(certificate|unknown ca)/i.test(message);
  return isAlert && tls.cert !== undefined
    ? `our client certificate: ${clientCertificate(tls.cert)}`
    : '';
}

async function shownCertificate(
  server: URL,
  { tls, clock }: { tls: TlsOptions; clock: Clock },
): Promise<PeerCertificate | undefined> {
  const host = server.hostname.replace(/^\[|\]$/g, '');
  const servername = tls.servername ?? (isIP(host) === 0 ? host : '');
  const socket = connect({
    host,
    port: Number(server.port || 443),
    ...tls,
    servername,
    rejectUnauthorized: false,
  });
  const cancel = clock.after(lookTimeout, () => socket.destroy());
  try {
    return await new Promise((resolve) => {
      socket.once('secureConnect', () => resolve(socket.getPeerCertificate()));
      socket.once('error', () => resolve(undefined));
      socket.once('close', () => resolve(undefined));
    });
  } finally {
    cancel();
    socket.destroy();
  }
}

function inWords({
  subject,
  issuer,
  subjectaltname,
  valid_from,
  valid_to,
}: PeerCertificate): string {
  const names = subjectaltname === undefined ? '' : ` (${subjectaltname})`;
  return `subject ${distinguishedName(subject)}${names}, issuer ${distinguishedName(issuer)}, valid from ${valid_from} to ${valid_to}`;
}

function clientCertificate(cert: string | Buffer): string {
  const { subject, issuer, validFrom, validTo } = new X509Certificate(cert);
  const oneLine = (name: string) => name.replaceAll('\n', ', ');
  return `subject ${oneLine(subject)}, issuer ${oneLine(issuer)}, valid from ${validFrom} to ${validTo}`;
}

function distinguishedName(name: object | undefined): string {
  const parts = Object.entries(name ?? {}).map(([key, value]) => `${key}=${String(value)}`);
  return parts.length === 0 ? '(none)' : parts.join(', ');
}
