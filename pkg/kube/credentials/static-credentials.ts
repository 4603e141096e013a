import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { CertificatePlaces, TlsOptions } from './connection.ts';
import { type Config, ConfigError, type ConfigSource, messageOf, readText } from './kubeconfig.ts';

/** The credentials that a kubeconfig contains or names as files. */
export interface StaticCredentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions;
  readonly places: CertificatePlaces;
}

/** Bytes, and where they are from, for messages. */
export interface Found {
  readonly bytes: Buffer;
  readonly place: string;
  readonly isFile: boolean;
}

/**
 * The credentials in a kubeconfig and in files that it names, beside the certificate authority. The files are read now, so that
 * rotated ones are used. Throws a ConfigError if one cannot be read or is empty.
 */
export function staticCredentials(
  source: ConfigSource,
  { config, authority }: { config: Config; authority: Found | undefined },
): StaticCredentials {
  const { cluster, user } = config;
  const certificate = fileOrData(source, { fields: user, name: 'client-certificate' });
  const key = fileOrData(source, { fields: user, name: 'client-key' });
  for (const found of [certificate, key]) refuseEmpty(source, found);
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
  // node:tls treats an undefined option as set.
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

/** Throws a ConfigError unless the client's certificate and key can be parsed. */
export function checkClientCertificate(
  source: ConfigSource,
  { tls: { cert, key }, places }: StaticCredentials,
): void {
  const name = places.clientCertificate ?? '';
  checkUsable(source, { name, use: () => createSecureContext({ cert, key }) });
}

/** Throws a ConfigError that names a certificate if using it throws. */
export function checkUsable(
  { place }: ConfigSource,
  { name, use }: { name: string; use: () => unknown },
): void {
  try {
    use();
  } catch (cause) {
    const reason = `${name.replace(` of ${place}`, '')} cannot be used: ${messageOf(cause)}`;
    throw new ConfigError(place, { reason });
  }
}

/** Throws a ConfigError if a file that was read is empty. */
export function refuseEmpty(source: ConfigSource, found: Found | undefined): void {
  if (found?.isFile === true && found.bytes.length === 0)
    throw new ConfigError(source.place, { reason: `${found.place} is empty` });
}

/** Whether two are equal, so that they need not be checked again. */
export function isSameTls(one: TlsOptions, other: TlsOptions): boolean {
  return (['ca', 'cert', 'key'] as const).every((name) => {
    const first = one[name];
    const second = other[name];
    if (first === undefined || second === undefined) return first === second;
    return Buffer.from(first).equals(Buffer.from(second));
  });
}

/** The header of a token. Throws a ConfigError if it cannot be in a header, without showing it. */
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

/** The header of a user's token. The file wins over the token, as for kubectl. An empty file is an error. */
function tokenHeader(source: ConfigSource, user: Config['user']): Record<string, string> {
  const tokenFile = text(user['tokenFile']);
  if (tokenFile !== undefined) {
    const path = resolve(source.folder, tokenFile);
    return bearer(readText(path, source.place).trim(), { source, place: path });
  }
  const token = text(user['token']);
  return token === undefined ? {} : bearer(token, { source, place: "the user's token" });
}

/** The file or the data of a field. The data wins, as for kubectl. Throws a ConfigError if the file cannot be read. */
export function fileOrData(
  { folder, place }: ConfigSource,
  { fields, name }: { fields: Readonly<Record<string, unknown>>; name: string },
): Found | undefined {
  const file = text(fields[name]);
  const data = text(fields[`${name}-data`]);
  if (data !== undefined)
    return { bytes: Buffer.from(data, 'base64'), place: `${name}-data of ${place}`, isFile: false };
  if (file === undefined) return undefined;
  const path = resolve(folder, file);
  const bytes = Buffer.from(readText(path, place));
  return { bytes, place: path, isFile: true };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
