import type { Agent } from 'node:http';
import { type Clock, systemClock } from '../../runner/clock.ts';
import { type CredentialMetrics, noMetrics } from '../metrics.ts';
import { quoted } from '../objects/fields.ts';
import { AuthorityReader } from './authority.ts';
import type { Connection, Credentials } from './connection.ts';
import { ExecPlugin } from './exec-plugin.ts';
import {
  type ClusterOptions,
  type Config,
  ConfigError,
  type ConfigSource,
  fromFile,
  inCluster,
  serverUrl,
} from './kubeconfig.ts';
import { AuthProvider, proxyAgent } from './library.ts';
import { PluginCertificate } from './plugin-certificate.ts';
import {
  bearer,
  checkClientCertificate,
  isSameTls,
  type StaticCredentials,
  staticCredentials,
} from './static-credentials.ts';

/** Where the configuration is read from. */
export interface ConfigOptions extends ClusterOptions {
  /** The path of a kubeconfig; '' for none. */
  readonly kubeconfig: string;
  /** The URL of the API server, in place of the kubeconfig's; '' for none. */
  readonly master: string;
  /** For the timeouts of plug-ins. */
  readonly clock?: Clock;
  readonly metrics?: CredentialMetrics;
}

/**
 * The connection that a kubeconfig describes, or, without kubeconfig and master, that of a pod. Throws a ConfigError for everything
 * that can be checked without a request.
 */
export async function loadConnection(options: ConfigOptions): Promise<Connection> {
  const { kubeconfig, master, clock = systemClock, metrics = noMetrics } = options;
  if (kubeconfig === '' && master !== '') return bare(serverUrl(master, '--master'));
  const source = kubeconfig === '' ? inCluster(options) : fromFile(kubeconfig);
  return new ConfiguredConnection(source, { master, clock, metrics });
}

/** A connection without credentials, as upstream uses a master alone. */
function bare(server: URL): Connection {
  return { server, credentials: async () => ({ headers: {}, tls: {}, agent: undefined }) };
}

/** The kubeconfig that was read last, and what was derived from it. */
interface Known {
  readonly config: Config;
  readonly server: URL;
  readonly plugin: ExecPlugin | undefined;
  readonly provider: AuthProvider | undefined;
  /** The proxy's URL; '' for none. */
  readonly proxy: string;
}

interface ConnectionOptions {
  readonly master: string;
  readonly clock: Clock;
  readonly metrics: CredentialMetrics;
}

class ConfiguredConnection implements Connection {
  readonly #source: ConfigSource;
  readonly #options: ConnectionOptions;
  readonly #authority: AuthorityReader;
  readonly #pluginCertificate: PluginCertificate;
  #known: Known;
  /** The last credentials that were valid. */
  #checked: StaticCredentials | undefined;
  #agent: { readonly key: string; readonly agent: Promise<Agent> } | undefined;

  /** Throws a ConfigError of one line if the files are invalid. Plug-ins are only run when they are needed. */
  constructor(source: ConfigSource, options: ConnectionOptions) {
    this.#source = source;
    this.#options = options;
    this.#authority = new AuthorityReader(source, options.metrics);
    this.#pluginCertificate = new PluginCertificate(options.clock, options.metrics);
    this.#known = this.#read();
  }

  get server(): URL {
    return this.#known.server;
  }

  async credentials({ fresh }: { readonly fresh: boolean }): Promise<Credentials> {
    if (fresh) this.#known = this.#read();
    const { config, plugin, provider } = this.#known;
    const own = this.#static(config);
    const agent = await this.#proxyAgent();
    if (plugin === undefined)
      return { ...own, headers: { ...own.headers, ...(await provider?.headers()) }, agent };
    const { token, certificate } = await plugin.credentials();
    this.#pluginCertificate.use(certificate?.cert);
    const place = 'the exec plug-in';
    const header = token === undefined ? {} : bearer(token, { source: this.#source, place });
    return {
      headers: { ...own.headers, ...header },
      tls: { ...own.tls, ...certificate },
      places: { ...own.places, ...(certificate !== undefined && { clientCertificate: place }) },
      agent,
    };
  }

  /** Reads the configuration again. If that fails, the last one stays. */
  #read(): Known {
    const source = this.#source;
    const { clock, metrics } = this.#options;
    const config = source.read();
    const { ca } = this.#static(config).tls;
    const { cluster, user } = config;
    const known = { config, server: this.#serverOf(config), proxy: this.#proxyOf(cluster) };
    const plugin = isPresent(user['exec'])
      ? new ExecPlugin(source, { config, ca, clock, metrics })
      : undefined;
    const provider = isPresent(user['auth-provider'])
      ? new AuthProvider(source, { config, clock })
      : undefined;
    return { ...known, plugin, provider };
  }

  /** The valid credentials in the configuration and in the files that it names. */
  #static(config: Config): StaticCredentials {
    const authority = this.#authority.read(config);
    const own = staticCredentials(this.#source, { config, authority });
    if (this.#checked === undefined || !isSameTls(own.tls, this.#checked.tls))
      checkClientCertificate(this.#source, own);
    this.#checked = own;
    return own;
  }

  /** The agent for the proxy, if there is one. */
  async #proxyAgent(): Promise<Agent | undefined> {
    const { proxy, server } = this.#known;
    if (proxy === '') return undefined;
    const key = `${server.protocol} ${proxy}`;
    if (this.#agent?.key !== key)
      this.#agent = { key, agent: proxyAgent(this.#source, { server, proxy }) };
    return this.#agent.agent;
  }

  #serverOf({ cluster }: Config): URL {
    const { master } = this.#options;
    if (master !== '') return serverUrl(master, '--master');
    const server = cluster['server'];
    if (typeof server !== 'string' || server === '')
      throw new ConfigError(this.#source.place, { reason: 'the cluster has no server' });
    return serverUrl(server, this.#source.place);
  }

  #proxyOf(cluster: Config['cluster']): string {
    const proxy = cluster['proxy-url'];
    if (!isPresent(proxy)) return '';
    const protocol = typeof proxy === 'string' ? (URL.parse(proxy)?.protocol ?? '') : '';
    if (typeof proxy === 'string' && /^(https?|socks[45][ah]?):$/.test(protocol)) return proxy;
    const reason = `proxy-url is no URL of a proxy (${quoted(protocol)})`;
    throw new ConfigError(this.#source.place, { reason });
  }
}

/** Whether a field of a kubeconfig has a value. */
function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}
