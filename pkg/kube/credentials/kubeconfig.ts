import { readFileSync, statSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { dirname, resolve } from 'node:path';
import { YamlError, yamlDocuments } from '../../yaml/yaml.ts';
import { isObject, quoted } from '../objects/fields.ts';

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';
/** How many bytes a kubeconfig may have, and each file that it names. */
const sizeLimit = 4 * 1024 * 1024;

/** A kubeconfig, or in-cluster credentials, that cannot be used. The message is one line that names the file. */
export class ConfigError extends Error {
  constructor(place: string, { reason, cause }: { reason: string; cause?: unknown }) {
    super(`${place}: ${reason}`, { cause });
    this.name = 'ConfigError';
  }
}

/** Where a pod finds its cluster. */
export interface ClusterOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** The folder where in-cluster credentials are mounted. */
  readonly serviceAccountFolder?: string;
}

/** The origin of a configuration. Reading it again returns its present content. */
export interface ConfigSource {
  readonly place: string;
  readonly folder: string;
  read(): Config;
}

/** The validated values of a kubeconfig. `user` is absent if the context has none. */
export interface Config {
  readonly cluster: Readonly<Record<string, unknown>>;
  readonly user: Readonly<Record<string, unknown>>;
}

/** The API server and the service account of this pod. */
export function inCluster({
  environment = process.env,
  serviceAccountFolder = serviceAccount,
}: ClusterOptions): ConfigSource {
  const host = environment['KUBERNETES_SERVICE_HOST'] ?? '';
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? '';
  if (host === '' || port === '') {
    throw new ConfigError('in-cluster credentials', {
      reason:
        'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, and neither --kubeconfig nor --master is given',
    });
  }
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  return {
    place: 'in-cluster credentials',
    folder: serviceAccountFolder,
    read: () => ({
      cluster: { server, 'certificate-authority': 'ca.crt' },
      user: { tokenFile: 'token' },
    }),
  };
}

/** The current context of a kubeconfig file. */
export function fromFile(path: string): ConfigSource {
  const place = `kubeconfig ${path}`;
  return {
    place,
    folder: dirname(resolve(path)),
    read: () => currentContext(parseFile(path, place), place),
  };
}

function parseFile(path: string, place: string): Readonly<Record<string, unknown>> {
  const [value, ...others] = documents(readText(path, place), place);
  if (others.length > 0) throw new ConfigError(place, { reason: 'holds several documents' });
  if (!isObject(value))
    throw new ConfigError(place, { reason: 'is no kubeconfig: it holds no mapping' });
  return value;
}

function documents(text: string, place: string): readonly unknown[] {
  try {
    return [...yamlDocuments(text)];
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    // The library's messages quote the text, which contains secrets.
    const { code, message, position } = error;
    const what = code === 'REFUSED' ? message : `is no YAML (${code})`;
    const where = position && ` at line ${position.line}, column ${position.column}`;
    throw new ConfigError(place, { reason: `${what}${where ?? ''}` });
  }
}

function currentContext(config: Readonly<Record<string, unknown>>, place: string): Config {
  const wanted = config['current-context'];
  if (typeof wanted !== 'string' || wanted === '')
    throw new ConfigError(place, { reason: 'current-context is not set' });
  const context = entry(config, { list: 'contexts', field: 'context', name: wanted, place });
  const cluster = context['cluster'];
  const user = context['user'];
  if (typeof cluster !== 'string' || cluster === '') {
    throw new ConfigError(place, { reason: `context ${quoted(wanted)} names no cluster` });
  }
  const hasUser = typeof user === 'string' && user !== '';
  return {
    cluster: entry(config, { list: 'clusters', field: 'cluster', name: cluster, place }),
    user: hasUser ? entry(config, { list: 'users', field: 'user', name: user, place }) : {},
  };
}

/** One named entry of `clusters`, `contexts` or `users`. */
function entry(
  config: Readonly<Record<string, unknown>>,
  { list, field, name, place }: { list: string; field: string; name: string; place: string },
): Readonly<Record<string, unknown>> {
  const entries = Array.isArray(config[list]) ? (config[list] as unknown[]) : [];
  const found = entries.find((candidate) => isObject(candidate) && candidate['name'] === name);
  if (!isObject(found))
    throw new ConfigError(place, { reason: `there is no ${field} ${quoted(name)}` });
  const value = found[field] ?? {};
  if (!isObject(value))
    throw new ConfigError(place, { reason: `${field} ${quoted(name)} is no mapping` });
  return value;
}

/** Parses a server's URL. One without a scheme is plain HTTP, as in upstream. */
export function serverUrl(text: string, place: string): URL {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    const shown = quoted(text.replace(/\/\/[^/]*@/, '//…@')); // it may contain a password
    throw new ConfigError(place, { reason: `${shown} is no http or https URL` });
  }
  return url;
}

/** Reads a file. Throws a ConfigError that names it and where it is mentioned. */
export function readText(path: string, place: string): string {
  const fail = (reason: string) =>
    new ConfigError(place, { reason: place.endsWith(path) ? reason : `${path}: ${reason}` });
  try {
    if (statSync(path).size > sizeLimit) throw fail(`is larger than ${sizeLimit} bytes`);
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw fail('no such file');
    if (code === 'EACCES') throw fail('permission denied');
    if (code === 'EISDIR') throw fail('is a folder');
    throw fail(messageOf(cause));
  }
}

/** The message of an error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
