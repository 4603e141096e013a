import type { Agent, RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { type Clock, seconds } from '../../runner/clock.ts';
import { type Config, ConfigError, type ConfigSource } from './kubeconfig.ts';

/** How long an authentication provider may take to answer. */
const patience = seconds(60);

/** The agent for a cluster's proxy. It has no certificates of its own: those of each request count. */
export async function proxyAgent(
  source: ConfigSource,
  { server, proxy }: { server: URL; proxy: string },
): Promise<Agent> {
  const library = await load(source, {
    // The library refuses plain HTTP unless verification is turned off.
    cluster: {
      server: server.href,
      'proxy-url': proxy,
      ...(server.protocol === 'http:' && { 'insecure-skip-tls-verify': true }),
    },
    user: {},
  });
  const options: RequestOptions = {};
  await library.applyToHTTPSOptions(options);
  const agent = options.agent as Agent; // the library creates an Agent
  // Options of an agent win over those of a request, even if they are undefined.
  for (const [name, value] of Object.entries(agent.options)) {
    if (value === undefined) Reflect.deleteProperty(agent.options, name);
  }
  return agent;
}

/** `users[].user.auth-provider` of a kubeconfig, run by the library, which keeps answers that have not expired. */
export class AuthProvider {
  readonly #source: ConfigSource;
  readonly #config: Config;
  readonly #clock: Clock;
  #library: Promise<KubeConfig> | undefined;

  constructor(source: ConfigSource, { config, clock }: { config: Config; clock: Clock }) {
    this.#source = source;
    this.#config = config;
    this.#clock = clock;
  }

  /** The headers that authenticate. Errors do not contain the provider's own message, as that may contain secrets. */
  async headers(): Promise<Readonly<Record<string, string>>> {
    const late = Promise.withResolvers<never>();
    const fail = (reason: string) =>
      new ConfigError(this.#source.place, { reason: `no credentials: auth-provider ${reason}` });
    const cancel = this.#clock.after(patience, () =>
      late.reject(fail(`did not answer within ${patience / 1000} s`)),
    );
    try {
      return await Promise.race([this.#ask(), late.promise]);
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      const { name = 'error', code = name } = error as { name?: string; code?: string };
      throw fail(`failed (${code})`);
    } finally {
      cancel();
    }
  }

  async #ask(): Promise<Readonly<Record<string, string>>> {
    this.#library ??= load(this.#source, {
      cluster: { server: 'https://localhost' },
      user: { 'auth-provider': this.#config.user['auth-provider'] },
    });
    const options: RequestOptions = { headers: {} };
    await (await this.#library).applyToHTTPSOptions(options);
    const entries = Object.entries(options.headers ?? {});
    return Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), String(value)]));
  }
}

/** Loads the library only when it is needed, as it takes as much memory as all the rest. */
async function load({ place }: ConfigSource, { cluster, user }: Config): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const library = new KubeConfig();
  const text = JSON.stringify({
    clusters: [{ name: 'cluster', cluster }],
    users: [{ name: 'user', user }],
    contexts: [{ name: 'context', context: { cluster: 'cluster', user: 'user' } }],
    'current-context': 'context',
  });
  try {
    library.loadFromString(text);
  } catch {
    throw new ConfigError(place, { reason: 'the auth-provider is not what it should be' });
  }
  return library;
}
