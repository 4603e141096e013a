import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { dirname, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { isObject } from './fields.ts';

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

/** A kubeconfig, or in-cluster credentials, with which no API server can be reached. One line that names the file. */
export class ConfigError extends Error {
  constructor(place: string, { reason, cause }: { reason: string; cause?: unknown }) {
    super(`${place}: ${reason}`, { cause });
    this.name = 'ConfigError';
  }
}

/** Where a pod finds out about its cluster. */
export interface ClusterOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Where in-cluster credentials are mounted. */
  readonly serviceAccountFolder?: string;
}

/** A place that a kubeconfig comes from; reading it again gives what stands there by then. */
export interface ConfigSource {
  readonly place: string;
  readonly folder: string;
  read(): Config;
}

/** A kubeconfig as plain data, checked; `user` is absent where the context names none. */
export interface Config {
  readonly cluster: Readonly<Record<string, unknown>>;
  readonly user: Readonly<Record<string, unknown>>;
}

/** The API server and the service account that every pod is told of. */
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

/** The current context of a kubeconfig. */
export function fromFile(path: string): ConfigSource {
  const place = `kubeconfig ${path}`;
  return {
    place,
    folder: dirname(resolve(path)),
    read: () => currentContext(parseFile(path, place), place),
  };
}

function parseFile(path: string, place: string): Readonly<Record<string, unknown>> {
  const document = parseDocument(readText(path, place), { prettyErrors: true });
  const [error] = document.errors;
  if (error !== undefined)
    throw new ConfigError(place, { reason: firstLine(error.message), cause: error });
  const value: unknown = document.toJS();
  if (!isObject(value))
    throw new ConfigError(place, { reason: 'is no kubeconfig: it holds no mapping' });
  return value;
}

function currentContext(config: Readonly<Record<string, unknown>>, place: string): Config {
  const wanted = config['current-context'];
  if (typeof wanted !== 'string' || wanted === '')
    throw new ConfigError(place, { reason: 'current-context is not set' });
  const context = entry(config, { list: 'contexts', field: 'context', name: wanted, place });
  const cluster = context['cluster'];
  const user = context['user'];
  if (typeof cluster !== 'string' || cluster === '') {
    throw new ConfigError(place, { reason: `context ${JSON.stringify(wanted)} names no cluster` });
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
    throw new ConfigError(place, { reason: `there is no ${field} ${JSON.stringify(name)}` });
  const value = found[field] ?? {};
  if (!isObject(value))
    throw new ConfigError(place, { reason: `${field} ${JSON.stringify(name)} is no mapping` });
  return value;
}

/** A server without a scheme is plain HTTP, as upstream reads it. */
export function serverUrl(text: string, place: string): URL {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new ConfigError(place, { reason: `${JSON.stringify(text)} is no http or https URL` });
  }
  return url;
}

/** The text of a file; ConfigError with the place that names it. */
export function readText(path: string, place: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason =
      code === 'ENOENT'
        ? 'no such file'
        : code === 'EACCES'
          ? 'permission denied'
          : messageOf(cause);
    throw new ConfigError(place, {
      reason: place.endsWith(path) ? reason : `${path}: ${reason}`,
      cause,
    });
  }
}

/** What an error says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An error in several lines, cut to its first. */
export function firstLine(text: string): string {
  return text.split('\n', 1)[0]?.replace(/:$/, '') ?? '';
}
