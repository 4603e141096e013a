import { X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { TlsOptions } from './connection.ts';
import { type Config, ConfigError, type ConfigSource, messageOf, readText } from './kubeconfig.ts';

/** What a kubeconfig says outright. */
export interface StaticCredentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions;
}

/**
 * The credentials that stand in a kubeconfig, or in files that it names; those are read now, so that what was
 * rotated is picked up. ConfigError where a file cannot be read.
 */
export function staticCredentials(source: ConfigSource, config: Config): StaticCredentials {
  const { cluster } = config;
  const tls: Record<string, unknown> = {
    ca: fileOrData(source, cluster, 'certificate-authority'),
    cert: fileOrData(source, config.user, 'client-certificate'),
    key: fileOrData(source, config.user, 'client-key'),
    servername: text(cluster['tls-server-name']),
    rejectUnauthorized: cluster['insecure-skip-tls-verify'] === true ? false : undefined,
  };
  // node:tls takes an option that is not set for a setting.
  const isSet = ([, value]: [string, unknown]) => value !== undefined;
  return {
    headers: headers(source, config),
    tls: Object.fromEntries(Object.entries(tls).filter(isSet)),
  };
}

/** ConfigError unless certificates and keys are what they should be. */
export function checkCertificates({ place }: ConfigSource, { ca, cert, key }: TlsOptions): void {
  try {
    // Node takes an authority that it cannot read for none.
    if (ca !== undefined) void new X509Certificate(ca);
    createSecureContext({ cert, key });
  } catch (cause) {
    const reason = `a certificate or key cannot be used: ${messageOf(cause)}`;
    throw new ConfigError(place, { reason, cause });
  }
}

function headers(source: ConfigSource, { user }: Config): Record<string, string> {
  const username = text(user['username']);
  const impersonated = text(user['as']);
  // Of token and file the file counts, as for kubectl.
  const tokenFile = text(user['tokenFile']);
  const token = tokenFile === undefined ? text(user['token']) : read(source, tokenFile).trim();
  const basic = `${username}:${text(user['password']) ?? ''}`;
  return {
    ...(username !== undefined && {
      authorization: `Basic ${Buffer.from(basic).toString('base64')}`,
    }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(impersonated !== undefined && { 'impersonate-user': impersonated }),
  };
}

function fileOrData(
  source: ConfigSource,
  fields: Readonly<Record<string, unknown>>,
  name: string,
): Buffer | undefined {
  const file = text(fields[name]);
  const data = text(fields[`${name}-data`]);
  // Of file and data the data counts, as for kubectl.
  if (data !== undefined) return Buffer.from(data, 'base64');
  return file === undefined ? undefined : Buffer.from(read(source, file));
}

function read({ folder, place }: ConfigSource, file: string): string {
  return readText(resolve(folder, file), place);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
