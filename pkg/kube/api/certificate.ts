import { X509Certificate } from 'node:crypto';
import https from 'node:https';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { type Clock, seconds } from '../../runner/clock.ts';
import type { Credentials } from '../credentials/connection.ts';

const notOurs = "the server's certificate is not signed by an authority that we trust";
const otherNames = "the server's certificate is for other names";
const unusable = "the server's certificate, or that of an authority, is of no use here";

/** Node's codes for problems of a server's certificate, with their meaning. */
const meanings: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "the server's certificate, or that of an authority, has expired",
  CERT_NOT_YET_VALID: "the server's certificate, or that of an authority, is not valid yet",
  CERT_REVOKED: "the server's certificate is revoked",
  CERT_SIGNATURE_FAILURE:
    "the server's certificate is signed by another authority than ours of the same name",
  CERT_UNTRUSTED: notOurs,
  DEPTH_ZERO_SELF_SIGNED_CERT: notOurs,
  ERR_TLS_CERT_ALTNAME_INVALID: otherNames,
  HOSTNAME_MISMATCH: otherNames,
  INVALID_CA: unusable,
  INVALID_PURPOSE: unusable,
  SELF_SIGNED_CERT_IN_CHAIN: notOurs,
  UNABLE_TO_GET_ISSUER_CERT: notOurs,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: notOurs,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: notOurs,
};

/** How long the check of a certificate may take. */
const lookTimeout = seconds(5);
/** How many authorities of a file are named in a message. */
const namedAuthorities = 3;
/** How many characters of one field of a certificate are used, as a server's certificate is untrusted. */
const longestField = 100;

/** Whether a TLS connection failed because of a certificate: we refused the server's, or the server ours. */
export function isCertificateError(error: unknown): boolean {
  return meaningOf(error) !== undefined || isAlert(error);
}

/**
 * Explains which certificate is wrong and why, if that is why a TLS connection failed. To read the server's certificate it opens a
 * connection in the same way, on which it sends nothing, not even a certificate of ours.
 */
export async function explainCertificate(
  error: unknown,
  { server, credentials, clock }: { server: URL; credentials: Credentials; clock: Clock },
): Promise<string | undefined> {
  const { tls, places } = credentials;
  const meaning = meaningOf(error);
  if (meaning !== undefined) {
    const shown = await shownCertificate(server, { credentials, clock });
    const certificate = shown === undefined ? '' : `; it shows ${peerInWords(shown)}`;
    const name = meaning === otherNames ? `, not ${brief(tls.servername ?? server.hostname)}` : '';
    return `${meaning}${name}; ${authorityInWords(credentials)}${certificate}`;
  }
  if (!isAlert(error) || tls.cert === undefined) return undefined;
  const place = places?.clientCertificate ?? 'the credentials';
  return `the server refuses our client certificate from ${place}: ${inWords(new X509Certificate(tls.cert))}`;
}

function meaningOf(error: unknown): string | undefined {
  const { code = '' } = error as { code?: string };
  return Object.hasOwn(meanings, code) ? meanings[code] : undefined;
}

/** Whether the server refused our certificate with a TLS alert. */
function isAlert(error: unknown): boolean {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  return code.startsWith('ERR_SSL') && /alert.*(certificate|unknown ca)/i.test(message);
}

/** The certificate of a server, read over the same way as requests, through a proxy if there is one. */
async function shownCertificate(
  server: URL,
  { credentials, clock }: { credentials: Credentials; clock: Clock },
): Promise<PeerCertificate | undefined> {
  const { cert: _cert, key: _key, ...tls } = credentials.tls;
  const agent = credentials.agent ?? new https.Agent({ keepAlive: false });
  // The socket is never ended, so nothing is sent.
  // A resumed session has no certificate.
  const options = { agent, ...tls, rejectUnauthorized: false, session: undefined };
  const request = https.request(server, options);
  const { promise, resolve } = Promise.withResolvers<PeerCertificate | undefined>();
  const cancel = clock.after(lookTimeout, () => resolve(undefined));
  request.on('error', () => resolve(undefined));
  request.on('close', () => resolve(undefined));
  request.on('socket', (socket) => {
    const secure = socket as TLSSocket; // the agents of node:https create TLS sockets
    secure.once('secureConnect', () => resolve(secure.getPeerCertificate()));
  });
  try {
    return await promise;
  } finally {
    cancel();
    request.destroy();
  }
}

function authorityInWords({ tls, places }: Credentials): string {
  if (tls.ca === undefined)
    return 'no certificate-authority is configured, so those that come with Node are trusted';
  const place = places?.authority ?? 'the credentials';
  const blocks = String(tls.ca).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  const authorities = (blocks ?? []).slice(0, namedAuthorities).map(nameOfAuthority);
  const more = (blocks?.length ?? 0) - authorities.length;
  return `we trust ${place}: ${authorities.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function nameOfAuthority(pem: string): string {
  try {
    const { subject, validTo } = new X509Certificate(pem);
    return `${brief(subject)} (until ${validTo})`;
  } catch {
    return '(a certificate that cannot be read)';
  }
}

function peerInWords(certificate: PeerCertificate): string {
  const { subject, issuer, subjectaltname, valid_from: from, valid_to: to } = certificate;
  const names = subjectaltname === undefined ? '' : ` (${brief(subjectaltname)})`;
  return `subject ${distinguishedName(subject)}${names}, issuer ${distinguishedName(issuer)}, valid from ${brief(from)} to ${brief(to)}`;
}

function inWords({ subject, issuer, validFrom, validTo }: X509Certificate): string {
  return `subject ${brief(subject)}, issuer ${brief(issuer)}, valid from ${validFrom} to ${validTo}`;
}

function distinguishedName(name: object | undefined): string {
  const parts = Object.entries(name ?? {}).map(([key, value]) => `${key}=${String(value)}`);
  return parts.length === 0 ? '(none)' : brief(parts.join(', '));
}

/** A text of a certificate in one line of bounded length. */
function brief(text = ''): string {
  const line = text.replaceAll('\n', ', ').replaceAll(/\p{C}/gu, '?');
  return line.length > longestField ? `${line.slice(0, longestField)}…` : line;
}
