import { X509Certificate } from 'node:crypto';
import type { Agent, RequestOptions } from 'node:https';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Connection, Credentials, TlsOptions } from './connection.ts';
import { isObject } from './fields.ts';
import {
  type ClusterOptions,
  type Config,
  ConfigError,
  type ConfigSource,
  firstLine,
  fromFile,
  inCluster,
  messageOf,
  readText,
  serverUrl,
} from './kubeconfig.ts';

/** Where to look for the way to the API server. */
export interface ConfigOptions extends ClusterOptions {
  /** Path of a kubeconfig, '' for none. */
  readonly kubeconfig: string;
  /** URL of the API server, in place of the one in the kubeconfig; '' for none. */
  readonly master: string;
}

/**
 * The way to the API server that a kubeconfig describes, or, without kubeconfig and master, the one of a pod.
 * All that can be checked without asking anybody is checked now: ConfigError.
 */
export async function loadConnection(options: ConfigOptions): Promise<Connection> {
  const { kubeconfig, master } = options;
  if (kubeconfig === '' && master !== '') return bare(serverUrl(master, '--master'));
  const source = kubeconfig === '' ? inCluster(options) : fromFile(kubeconfig);
  const connection = new ConfiguredConnection(source, master);
  await connection.check();
  return connection;
}

/** Without credentials, as upstream treats a master alone. */
function bare(server: URL): Connection {
  return { server, credentials: async () => ({ headers: {}, tls: {}, agent: undefined }) };
}

class ConfiguredConnection implements Connection {
  readonly #source: ConfigSource;
  readonly #master: string;
  readonly server: URL;
  /** The library's object, kept because it remembers what plug-ins answered. */
  #library: KubeConfig | undefined;
  #config: Config;

  constructor(source: ConfigSource, master: string) {
    this.#source = source;
    this.#master = master;
    this.#config = source.read();
    this.server = this.#serverOf(this.#config);
  }

  /** Fails with one line if what the files hold is of no use. */
  async check(): Promise<void> {
    const { place } = this.#source;
    const { user } = this.#config;
    const exec = user['exec'];
    if (exec !== undefined && (!isObject(exec) || typeof exec['command'] !== 'string')) {
      throw new ConfigError(place, { reason: "the user's exec names no command" });
    }
    const { ca, cert, key } = this.#tlsFiles();
    try {
      // Node takes an authority that it cannot read for none.
      if (ca !== undefined) void new X509Certificate(ca);
      createSecureContext({ cert, key });
    } catch (cause) {
      throw new ConfigError(place, {
        reason: `a certificate or key cannot be used: ${messageOf(cause)}`,
        cause,
      });
    }
    // Plug-ins are asked when credentials are needed: they may be away for a while.
    if (exec === undefined && user['auth-provider'] === undefined)
      await this.credentials({ fresh: false });
  }

  async credentials({ fresh }: { readonly fresh: boolean }): Promise<Credentials> {
    if (fresh) {
      this.#config = this.#source.read();
      this.#library = undefined;
    }
    this.#library ??= await this.#load();
    const options: RequestOptions = {};
    try {
      await this.#library.applyToHTTPSOptions(options);
    } catch (cause) {
      throw new ConfigError(this.#source.place, {
        reason: `no credentials: ${firstLine(messageOf(cause))}`,
        cause,
      });
    }
    const headers = headersOf(options);
    const token = this.#tokenFile();
    if (token !== '') headers['authorization'] = `Bearer ${token}`;
    const usesProxy =
      typeof this.#config.cluster['proxy-url'] === 'string' &&
      this.#config.cluster['proxy-url'] !== '';
    return {
      headers,
      tls: tlsOf(options),
      agent: usesProxy ? (options.agent as Agent) : undefined,
    };
  }

  /** The path of the token file is spelled `tokenFile` in a kubeconfig; the library knows another spelling only. */
  #tokenFile(): string {
    const file = this.#config.user['tokenFile'];
    if (typeof file !== 'string' || file === '') return '';
    return readText(resolve(this.#source.folder, file), this.#source.place).trim();
  }

  #tlsFiles(): TlsOptions {
    const { cluster, user } = this.#config;
    const read = (fields: Readonly<Record<string, unknown>>, name: string): Buffer | undefined => {
      const data = fields[`${name}-data`];
      const file = fields[name];
      if (typeof file === 'string' && file !== '') {
        return Buffer.from(readText(resolve(this.#source.folder, file), this.#source.place));
      }
      return typeof data === 'string' ? Buffer.from(data, 'base64') : undefined;
    };
    return pruned({
      ca: read(cluster, 'certificate-authority'),
      cert: read(user, 'client-certificate'),
      key: read(user, 'client-key'),
    });
  }

  /** Loads the library only now: without an API server (manifests) it costs nothing. */
  async #load(): Promise<KubeConfig> {
    const { KubeConfig } = await import('@kubernetes/client-node');
    const { cluster, user } = this.#config;
    const server = this.#serverOf(this.#config);
    const library = new KubeConfig();
    const text = JSON.stringify({
      clusters: [
        {
          name: 'cluster',
          // The library refuses plain HTTP unless told that nothing is to be verified.
          cluster: {
            ...cluster,
            server: server.href,
            ...(server.protocol === 'http:' && { 'insecure-skip-tls-verify': true }),
          },
        },
      ],
      users: [{ name: 'user', user }],
      contexts: [{ name: 'context', context: { cluster: 'cluster', user: 'user' } }],
      'current-context': 'context',
    });
    try {
      library.loadFromString(text);
      library.makePathsAbsolute(this.#source.folder);
    } catch (cause) {
      throw new ConfigError(this.#source.place, { reason: messageOf(cause), cause });
    }
    return library;
  }

  #serverOf({ cluster }: Config): URL {
    if (this.#master !== '') return serverUrl(this.#master, '--master');
    const server = cluster['server'];
    if (typeof server !== 'string' || server === '')
      throw new ConfigError(this.#source.place, { reason: 'the cluster has no server' });
    return serverUrl(server, this.#source.place);
  }
}

function headersOf({ headers, auth }: RequestOptions): Record<string, string> {
  const result: Record<string, string> = {};
  if (typeof auth === 'string')
    result['authorization'] = `Basic ${Buffer.from(auth).toString('base64')}`;
  for (const [name, value] of Object.entries(headers ?? {}))
    result[name.toLowerCase()] = String(value).trim();
  return result;
}

function tlsOf({ ca, cert, key, servername, rejectUnauthorized }: RequestOptions): TlsOptions {
  return pruned({ ca, cert, key, servername, rejectUnauthorized } as TlsOptions);
}

/** Without the options that are not set, which node:tls would take for a setting. */
function pruned(options: { [Name in keyof TlsOptions]: TlsOptions[Name] | undefined }): TlsOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined && value !== null),
  );
}
