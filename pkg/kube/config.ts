import type { Agent, RequestOptions } from 'node:https';
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
  serverUrl,
} from './kubeconfig.ts';
import { checkCertificates, staticCredentials } from './static-credentials.ts';

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
  connection.check();
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

  /** Fails with one line if what the files hold is of no use; plug-ins are asked only when they are needed. */
  check(): void {
    const { exec } = this.#config.user;
    if (isPresent(exec) && (!isObject(exec) || typeof exec['command'] !== 'string')) {
      throw new ConfigError(this.#source.place, { reason: "the user's exec names no command" });
    }
    checkCertificates(this.#source, staticCredentials(this.#source, this.#config).tls);
  }

  async credentials({ fresh }: { readonly fresh: boolean }): Promise<Credentials> {
    if (fresh) {
      this.#config = this.#source.read();
      this.#library = undefined;
    }
    const own = staticCredentials(this.#source, this.#config);
    const { cluster, user } = this.#config;
    const hasPlugin = isPresent(user['exec']) || isPresent(user['auth-provider']);
    if (!hasPlugin && !isPresent(cluster['proxy-url'])) return { ...own, agent: undefined };
    const { headers, cert, key, agent } = await this.#ask();
    return {
      headers: { ...own.headers, ...(hasPlugin && lowerCase(headers)) },
      tls: { ...own.tls, ...(cert !== undefined && { cert, key }) } as TlsOptions,
      agent: isPresent(cluster['proxy-url']) ? (agent as Agent) : undefined,
    };
  }

  /** What plug-ins answer, and the way through a proxy. */
  async #ask(): Promise<RequestOptions> {
    this.#library ??= await this.#load();
    const options: RequestOptions = {};
    try {
      await this.#library.applyToHTTPSOptions(options);
    } catch (cause) {
      const reason = `no credentials: ${firstLine(messageOf(cause))}`;
      throw new ConfigError(this.#source.place, { reason, cause });
    }
    return options;
  }

  /** Loads the library only where it is needed: it takes as much memory as all the rest. */
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

function lowerCase(headers: RequestOptions['headers'] = {}): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [
    name.toLowerCase(),
    String(value),
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}

/** Whether a field of a kubeconfig says anything. */
function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}
