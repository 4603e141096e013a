import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { parseAddress, printHostPort } from '../../pkg/ip/address.ts';
import { parsePrefix } from '../../pkg/ip/prefix.ts';
import { type Clock, minutes, systemClock } from '../../pkg/runner/clock.ts';
import { Allocator, type Ranges } from './allocation.ts';
import { CertificateAuthority } from './certificates.ts';
import { Credentials } from './credentials.ts';
import { type Exec, serveExec } from './exec.ts';
import { Faults } from './faults.ts';
import { makeHandler } from './http.ts';
import { type KubeconfigParts, printKubeconfig } from './kubeconfig.ts';
import type { KubeObject } from './objects.ts';
import { Registry, resourceOf } from './registry.ts';
import { RequestLog } from './request-log.ts';
import { resourceOfKind, storedAs } from './resources.ts';
import { listenRestartably } from './restartable-port.ts';
import { type Backup, objectOf, Store, type Stored } from './store.ts';

/** How a test API server is set up; every field has a default that suits tests. */
export interface ApiServerOptions {
  /** Address to listen on, 127.0.0.1 if not given. */
  readonly host?: string;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** HTTPS with an authority of its own, the default, or plain HTTP. */
  readonly tls?: boolean;
  /** More names and addresses for the server's certificate. */
  readonly hosts?: readonly string[];
  /** When the server's certificate ends; milliseconds since 1970. */
  readonly certificateEnds?: number;
  /** Valid tokens and who holds them; one is made up if none is given. */
  readonly tokens?: Readonly<Record<string, string>>;
  /** One CIDR, or one of each family; 172.30.0.0/16 and fd00:172:30::/112 if not given. */
  readonly serviceClusterIpRange?: readonly string[];
  /** Starts with validation off if false. */
  readonly validate?: boolean;
  /** How many changes are remembered at least; 20,000 if not given. */
  readonly historyLimit?: number;
  /** Milliseconds between bookmarks, a minute if not given. */
  readonly bookmarkInterval?: number;
  /** Whether lists and watches are answered in protobuf to those who ask for it; without validation never, as it cannot hold everything. */
  readonly protobuf?: boolean;
  readonly clock?: Clock;
}

/** Which user a kubeconfig is for; a valid token if nothing is given. */
export type KubeconfigUser = Pick<KubeconfigParts, 'token' | 'tokenFile'> & {
  /** A certificate for this name instead of a token. */
  readonly certificateFor?: string;
  /** Another address than the server's own, for clients elsewhere. */
  readonly url?: string;
};

/**
 * A Kubernetes API server for tests: the objects that kube-proxy reads, with the protocol's real behaviour in
 * versions, watches, selectors, defaults and errors, and with faults on demand.
 */
export class ApiServer implements AsyncDisposable {
  readonly faults = new Faults();
  readonly requests = new RequestLog();
  readonly credentials: Credentials;
  /** Refuses what a real server refuses; false lets bad objects in. */
  isValidating: boolean;
  /** What `kubectl exec` is answered with; commands print nothing and succeed unless a test says otherwise. */
  exec: Exec = () => ({});
  readonly #store: Store;
  readonly #allocator: Allocator;
  readonly #registry: Registry;
  readonly #authority: CertificateAuthority | undefined;
  readonly #server: Server;
  readonly #host: string;
  readonly #closing = new AbortController();
  readonly #sockets = new Set<Socket>();
  #port: number;

  constructor(options: ApiServerOptions) {
    const {
      tls = true,
      clock = systemClock,
      historyLimit = 20_000,
      bookmarkInterval = minutes(1),
    } = options;
    this.#host = options.host ?? '127.0.0.1';
    this.#port = options.port ?? 0;
    this.isValidating = options.validate ?? true;
    this.credentials = new Credentials(options.tokens ?? {});
    if (options.tokens === undefined) this.credentials.add('admin');
    this.#store = new Store({ historyLimit });
    this.#allocator = new Allocator(rangesOf(options), this.#store);
    this.#registry = new Registry({ store: this.#store, allocator: this.#allocator, clock });
    for (const name of ['default', 'kube-system'])
      this.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    const { faults, requests: log, credentials } = this;
    const isValidating = () => this.isValidating;
    const context = {
      registry: this.#registry,
      faults,
      log,
      clock,
      bookmarkInterval,
      isValidating,
      hasProtobuf: () => this.isValidating && options.protobuf !== false,
    };
    const handler = makeHandler({
      context,
      credentials,
      signal: this.#closing.signal,
    });
    this.#authority = tls ? new CertificateAuthority({ commonName: 'test-authority' }) : undefined;
    const settings = { keepAliveTimeout: minutes(2), requestTimeout: 0 };
    this.#server =
      this.#authority === undefined
        ? createServer(settings, handler)
        : createTlsServer(
            { ...settings, ...tlsSettings(this.#authority, options, this.#host) },
            handler,
          );
    this.#server.on('upgrade', (message, socket) =>
      serveExec({ context, credentials, exec: this.exec }, { message, socket }),
    );
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** `https://127.0.0.1:40123` */
  get url(): string {
    const host = this.#host === '0.0.0.0' ? '127.0.0.1' : this.#host === '::' ? '::1' : this.#host;
    const address = parseAddress(host);
    const place =
      address === undefined ? `${host}:${this.#port}` : printHostPort(address, this.#port);
    return `${this.#authority === undefined ? 'http' : 'https'}://${place}`;
  }

  /** The authority's certificate, PEM; `undefined` for plain HTTP. */
  get authority(): string | undefined {
    return this.#authority?.certificate;
  }

  /** The version of the latest change. */
  get revision(): number {
    return this.#store.revision;
  }

  /** The text of a kubeconfig that leads here. */
  kubeconfig(user: KubeconfigUser = {}): string {
    const { certificateFor, url = this.url, ...tokens } = user;
    const parts = { url, authority: this.authority };
    if (certificateFor !== undefined && this.#authority !== undefined) {
      return printKubeconfig({
        ...parts,
        client: this.#authority.issue({ commonName: certificateFor }),
      });
    }
    const isGiven = tokens.token !== undefined || tokens.tokenFile !== undefined;
    return printKubeconfig({ ...parts, ...(isGiven ? tokens : { token: this.credentials.any() }) });
  }

  /** Adds an object, its status with it, and returns it as stored. */
  create(object: KubeObject, options: { validate?: boolean } = {}): KubeObject {
    return objectOf(
      this.#registry.create(structuredClone(object), { part: 'all', ...this.#how(options) }),
    );
  }

  /** Replaces an object, its status with it; without `resourceVersion` whatever version is there. */
  update(object: KubeObject, options: { validate?: boolean } = {}): KubeObject {
    return objectOf(
      this.#registry.update(structuredClone(object), { part: 'all', ...this.#how(options) }),
    );
  }

  /** Creates an object or replaces it. */
  apply(object: KubeObject, options: { validate?: boolean } = {}): KubeObject {
    return this.#find(object) === undefined
      ? this.create(object, options)
      : this.update(object, options);
  }

  /** Takes an object away; one with finalizers is only marked. */
  delete(object: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): void {
    const resource = resourceOf(object);
    this.#registry.delete(resource, placeOf(object, resource.isNamespaced));
  }

  /** The object of that kind and name as it is now, if there is one. */
  get(object: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): KubeObject | undefined {
    const stored = this.#find(object);
    return stored === undefined ? undefined : objectOf(stored);
  }

  /** All objects of a kind, by namespace and name. */
  objects(kind: string): KubeObject[] {
    const resource = resourceOfKind(kind);
    return resource === undefined ? [] : this.#store.list(resource.storage).map(objectOf);
  }

  /** Forgets the history up to a version, all of it if none is given: watches from before are answered with 410. */
  compact(version?: number): void {
    this.#store.compact(version);
  }

  /** Everything as it is now, for {@link restore}. */
  backup(): Backup {
    return this.#store.backup();
  }

  /** Goes back to a backup as an etcd that was lost does: older objects, a smaller version, every connection cut. */
  restore(backup: Backup): void {
    this.#store.restore(backup);
    this.#allocator.reload(this.#store);
    this.#server.closeAllConnections();
  }

  /** Listens, on the same port as before if there was one. */
  async listen(): Promise<void> {
    if (this.#server.listening) return;
    const listen = (port: number) =>
      new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen({ host: this.#host, port }, () => {
          this.#server.removeListener('error', reject);
          resolve();
        });
      });
    if (this.#port === 0) this.#port = await listenRestartably(listen);
    else await listen(this.#port);
  }

  /** Stops listening and cuts every connection; state stays, {@link listen} brings it back. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // Those in the middle of a TLS handshake are not yet connections to the HTTP server.
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Ends everything; nothing stays open. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #find(object: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): Stored | undefined {
    const resource = resourceOf(object);
    return this.#registry.find(storedAs(resource.storage), placeOf(object, resource.isNamespaced));
  }

  #how({ validate = this.isValidating }: { validate?: boolean }): { validate: boolean } {
    return { validate };
  }
}

/** Starts a test API server; it listens when this resolves. */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const server = new ApiServer(options);
  await server.listen();
  return server;
}

function placeOf(
  { metadata }: Pick<KubeObject, 'metadata'>,
  isNamespaced: boolean,
): { namespace: string; name: string } {
  return {
    namespace: isNamespaced ? metadata.namespace || 'default' : '',
    name: metadata.name ?? '',
  };
}

function rangesOf({
  serviceClusterIpRange = ['172.30.0.0/16', 'fd00:172:30::/112'],
}: ApiServerOptions): Ranges {
  const clusterIPs = serviceClusterIpRange.map((text) => {
    const range = parsePrefix(text);
    if (range === undefined) throw new Error(`not a CIDR: ${text}`);
    return range;
  });
  return { clusterIPs, nodePorts: { first: 30_000, last: 32_767 } };
}

function tlsSettings(authority: CertificateAuthority, options: ApiServerOptions, host: string) {
  const hosts = [...new Set(['localhost', '127.0.0.1', '::1', host, ...(options.hosts ?? [])])];
  const ends = options.certificateEnds === undefined ? {} : { notAfter: options.certificateEnds };
  const { certificate, key } = authority.issue({ commonName: 'test-apiserver', hosts, ...ends });
  return {
    cert: certificate,
    key,
    ca: authority.certificate,
    requestCert: true,
    rejectUnauthorized: false,
  };
}
