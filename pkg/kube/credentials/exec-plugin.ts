import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { type Clock, seconds } from '../../runner/clock.ts';
import type { CredentialMetrics, PluginCall } from '../metrics.ts';
import { isObject } from '../objects/fields.ts';
import { type Config, ConfigError, type ConfigSource } from './kubeconfig.ts';

/** How long a plug-in may take. Nobody can answer questions that it asks. */
const patience = seconds(60);
/** How many bytes a plug-in may write: a token and a certificate have a few thousand. */
const outputLimit = 1024 * 1024;

/** How a run counts that a signal ended, ours included. */
const killed: PluginCall = { status: 'plugin_execution_error', code: -1 };

const apiVersions = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];

export interface ExecPluginOptions {
  readonly config: Config;
  /** The certificate authority, for plug-ins that ask for the cluster. */
  readonly ca: string | Buffer | undefined;
  readonly clock: Clock;
  readonly metrics: CredentialMetrics;
}

/** The answer of a plug-in. */
export interface PluginAnswer {
  readonly token: string | undefined;
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
}

/** `users[].user.exec` of a kubeconfig, validated. */
interface Specification {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly apiVersion: string;
  readonly cluster: unknown;
}

/**
 * Runs a program of a kubeconfig that returns credentials. The answer is kept until it expires. Its output is never part of an
 * error, as it may be secret: each failure is a ConfigError that names the command alone.
 */
export class ExecPlugin {
  readonly #source: ConfigSource;
  readonly #specification: Specification;
  readonly #clock: Clock;
  readonly #metrics: CredentialMetrics;
  #answer: { readonly answer: PluginAnswer; readonly expires: number } | undefined;
  #asking: Promise<PluginAnswer> | undefined;

  /** Throws a ConfigError if the fields are invalid. */
  constructor(source: ConfigSource, { config, ca, clock, metrics }: ExecPluginOptions) {
    this.#source = source;
    this.#clock = clock;
    this.#metrics = metrics;
    this.#specification = specification(source, { config, ca });
  }

  /** The last answer if it is valid, otherwise a new one. One run serves all callers meanwhile. */
  async credentials(): Promise<PluginAnswer> {
    const { expires = 0, answer } = this.#answer ?? {};
    if (answer !== undefined && this.#clock.wallClock() < expires) return answer;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<PluginAnswer> {
    const status = this.#status(await this.#output());
    const [token, cert, key] = ['token', 'clientCertificateData', 'clientKeyData'].map((name) =>
      textOf(status[name]),
    );
    if ((cert === undefined) !== (key === undefined))
      throw this.#error('answered with a certificate or a key, but not with both');
    if (token === undefined && cert === undefined)
      throw this.#error('answered with neither a token nor a certificate');
    const certificate = cert === undefined || key === undefined ? undefined : { cert, key };
    const answer = { token, certificate };
    this.#answer = { answer, expires: this.#expiry(status['expirationTimestamp']) };
    return answer;
  }

  #status(output: string): Readonly<Record<string, unknown>> {
    const credential = parsed(output);
    if (!isObject(credential) || credential['kind'] !== 'ExecCredential')
      throw this.#error('did not answer with an ExecCredential in JSON');
    const { apiVersion } = this.#specification;
    if (credential['apiVersion'] !== apiVersion)
      throw this.#error(`answered in another API version than ${apiVersion}`);
    return isObject(credential['status']) ? credential['status'] : {};
  }

  #expiry(timestamp: unknown): number {
    if (timestamp === undefined || timestamp === null) return Number.POSITIVE_INFINITY;
    const time = Date.parse(typeof timestamp === 'string' ? timestamp : '');
    if (Number.isNaN(time))
      throw this.#error('answered with an expirationTimestamp that is no time');
    return time;
  }

  /** What the command writes to its standard output. Kills its process group when it fails or takes too long. */
  async #output(): Promise<string> {
    const plugin = this.#start();
    const { promise, resolve: done, reject } = Promise.withResolvers<string>();
    const cancel = this.#clock.after(patience, () =>
      reject(this.#error(`did not answer within ${patience / 1000} s`)),
    );
    const chunks: Buffer[] = [];
    let length = 0;
    let hasEnded = false;
    let call = killed;
    plugin.stdout?.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > outputLimit) reject(this.#error(`wrote more than ${outputLimit} bytes`));
    });
    plugin.on('error', (error) => {
      call = { status: 'plugin_not_found_error', code: 1 };
      reject(this.#error(`cannot be started (${codeOf(error)})`));
    });
    plugin.on('close', (code, signal) => {
      hasEnded = true;
      if (code !== null && code >= 0)
        call = { status: code === 0 ? 'no_error' : 'plugin_execution_error', code };
      if (code === 0) done(Buffer.concat(chunks).toString());
      else
        reject(
          this.#error(`ended with ${signal ?? `exit code ${code}`}; run it by hand to see why`),
        );
    });
    try {
      return await promise;
    } finally {
      cancel();
      this.#metrics.pluginCalled(call);
      if (!hasEnded) kill(plugin);
    }
  }

  #start(): ChildProcess {
    const { command, args, env, apiVersion, cluster } = this.#specification;
    const spec = { interactive: false, ...(cluster !== undefined && { cluster }) };
    const info = JSON.stringify({ apiVersion, kind: 'ExecCredential', spec });
    try {
      return spawn(command, args, {
        env: { ...process.env, ...env, KUBERNETES_EXEC_INFO: info },
        stdio: ['ignore', 'pipe', 'ignore'],
        detached: true, // a process group of its own, so that its children can be killed with it
      });
    } catch (error) {
      this.#metrics.pluginCalled({ status: 'client_internal_error', code: 1 });
      throw this.#error(`cannot be started (${codeOf(error)})`);
    }
  }

  #error(reason: string): ConfigError {
    return new ConfigError(this.#source.place, {
      reason: `no credentials: exec plug-in ${this.#specification.command} ${reason}`,
    });
  }
}

function specification(
  { place, folder }: ConfigSource,
  { config: { cluster, user }, ca }: { config: Config; ca: string | Buffer | undefined },
): Specification {
  const fail = (reason: string) => new ConfigError(place, { reason: `the user's exec ${reason}` });
  const fields = isObject(user['exec']) ? user['exec'] : {};
  const { command, args = [], env = [], apiVersion = '', interactiveMode } = fields;
  if (typeof command !== 'string' || command === '') throw fail('names no command');
  if (typeof apiVersion !== 'string' || !apiVersions.includes(apiVersion))
    throw fail(`has an apiVersion that is none of ${apiVersions.join(', ')}`);
  if (interactiveMode === 'Always') throw fail('wants a terminal (interactiveMode Always)');
  if (!Array.isArray(args ?? []) || !Array.isArray(env ?? []))
    throw fail('has args or env that are no lists');
  const pairs = ((env ?? []) as unknown[]).map((pair) => {
    const { name, value = '' } = isObject(pair) ? pair : {};
    if (typeof name !== 'string' || typeof value !== 'string')
      throw fail('has an env that is no list of names and values');
    return [name, value] as const;
  });
  return {
    // A name is searched in PATH. A path is relative to the folder of the kubeconfig.
    command: command.includes('/') ? resolve(folder, command) : command,
    args: ((args ?? []) as unknown[]).map(String),
    env: Object.fromEntries(pairs),
    apiVersion,
    cluster: fields['provideClusterInfo'] === true ? clusterInfo(cluster, ca) : undefined,
  };
}

/** The cluster as plug-ins get it. */
function clusterInfo(cluster: Config['cluster'], ca: string | Buffer | undefined): unknown {
  const names = ['server', 'tls-server-name', 'insecure-skip-tls-verify', 'proxy-url'];
  const extensions = Array.isArray(cluster['extensions']) ? cluster['extensions'] : [];
  const ours: unknown = extensions.find(
    (one) => isObject(one) && one['name'] === 'client.authentication.k8s.io/exec',
  );
  return {
    ...Object.fromEntries(Object.entries(cluster).filter(([name]) => names.includes(name))),
    ...(ca !== undefined && { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
    ...(isObject(ours) && { config: ours['extension'] }),
  };
}

/** Kills a plug-in and its children. */
function kill(plugin: ChildProcess): void {
  plugin.stdout?.destroy();
  if (plugin.pid === undefined) return;
  try {
    process.kill(-plugin.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
