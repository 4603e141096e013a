import { X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { CertificatePlaces, TlsOptions } from './connection.ts';
import { type Config, ConfigError, type ConfigSource, messageOf, readText } from './kubeconfig.ts';

/** What a kubeconfig says outright. */
export interface StaticCredentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions;
  readonly places: CertificatePlaces;
}

/** Bytes, and where they stand, for people. */
interface Found {
  readonly bytes: Buffer;
  readonly place: string;
}

/**
 * The credentials that stand in a kubeconfig, or in files that it names; those are read now, so that what was
 * rotated is picked up. ConfigError where a file cannot be read or holds nothing.
 */
export function staticCredentials(source: ConfigSource, config: Config): StaticCredentials {
  const { cluster, user } = config;
  const authority = fileOrData(source, { fields: cluster, name: 'certificate-authority' });
  const certificate = fileOrData(source, { fields: user, name: 'client-certificate' });
  const key = fileOrData(source, { fields: user, name: 'client-key' });
  if ((certificate === undefined) !== (key === undefined)) {
    const lacking =
      key === undefined
        ? 'client-certificate without client-key'
        : 'client-key without client-certificate';
    throw new ConfigError(source.place, { reason: `the user has a ${lacking}` });
  }
  const tls: Record<string, unknown> = {
    ca: authority?.bytes,
    cert: certificate?.bytes,
    key: key?.bytes,
    servername: text(cluster['tls-server-name']),
    rejectUnauthorized: cluster['insecure-skip-tls-verify'] === true ? false : undefined,
  };
  // node:tls takes an option that is not set for a setting.
  const isSet = ([, value]: [string, unknown]) => value !== undefined;
  return {
    headers: headers(source, config),
    tls: Object.fromEntries(Object.entries(tls).filter(isSet)),
    places: {
      ...(authority !== undefined && { authority: authority.place }),
      ...(certificate !== undefined && { clientCertificate: certificate.place }),
    },
  };
}

/** ConfigError unless certificates and keys are what they should be. */
export function checkCertificates(
  { place }: ConfigSource,
  { tls, places }: StaticCredentials,
): void {
  const { ca, cert, key } = tls;
  const check = (name: string, use: () => unknown) => {
    try {
      use();
    } catch (cause) {
      const reason = `${name.replace(` of ${place}`, '')} cannot be used: ${messageOf(cause)}`;
      throw new ConfigError(place, { reason });
    }
  };
  // Node takes an authority that it cannot read for none.
  if (ca !== undefined) check(places.authority ?? '', () => new X509Certificate(ca));
  check(places.clientCertificate ?? '', () => createSecureContext({ cert, key }));
}

/** Whether two are the same, so that they need not be checked again. */
export function isSameTls(one: TlsOptions, other: TlsOptions): boolean {
  return (['ca', 'cert', 'key'] as const).every((name) => {
    const first = one[name];
    const second = other[name];
    if (first === undefined || second === undefined) return first === second;
    return Buffer.from(first).equals(Buffer.from(second));
  });
}

/** The header of a token. ConfigError for one that no header can carry; what it holds is not told. */
export function bearer(token: string, { source, place }: { source: ConfigSource; place: string }) {
  if (/^[\x21-\x7e]+$/.test(token)) return { authorization: `Bearer ${token}` };
  const reason = token === '' ? 'is empty' : 'holds characters that stand in no token';
  throw new ConfigError(source.place, { reason: `${place} ${reason}` });
}

function headers(source: ConfigSource, { user }: Config): Record<string, string> {
  const username = text(user['username']);
  const impersonated = text(user['as']);
  const basic = `${username}:${text(user['password']) ?? ''}`;
  return {
    ...(username !== undefined && {
      authorization: `Basic ${Buffer.from(basic).toString('base64')}`,
    }),
    ...tokenHeader(source, user),
    ...(impersonated !== undefined && { 'impersonate-user': impersonated }),
  };
}

/** Of token and file the file counts, as for kubectl. An empty file is no way to go without a token. */
function tokenHeader(source: ConfigSource, user: Config['user']): Record<string, string> {
  const tokenFile = text(user['tokenFile']);
  if (tokenFile !== undefined) {
    const path = resolve(source.folder, tokenFile);
    return bearer(readText(path, source.place).trim(), { source, place: path });
  }
  const token = text(user['token']);
  return token === undefined ? {} : bearer(token, { source, place: "the user's token" });
}

/** Of file and data the data counts, as for kubectl. */
function fileOrData(
  { folder, place }: ConfigSource,
  { fields, name }: { fields: Readonly<Record<string, unknown>>; name: string },
): Found | undefined {
  const file = text(fields[name]);
  const data = text(fields[`${name}-data`]);
  if (data !== undefined)
    return { bytes: Buffer.from(data, 'base64'), place: `${name}-data of ${place}` };
  if (file === undefined) return undefined;
  const path = resolve(folder, file);
  const bytes = Buffer.from(readText(path, place));
  if (bytes.length === 0) throw new ConfigError(place, { reason: `${path} is empty` });
  return { bytes, place: path };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
