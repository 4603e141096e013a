import type { Agent } from 'node:http';

/** What TLS needs to know, as node:tls calls it; all absent for plain HTTP. */
export interface TlsOptions {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** Where certificates come from, for people: `/etc/kubernetes/ca.crt`. */
export interface CertificatePlaces {
  readonly authority?: string;
  readonly clientCertificate?: string;
}

/** How to introduce oneself right now. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions;
  readonly places?: CertificatePlaces;
  /** Goes through a proxy, where one is configured; `undefined` for a direct connection. */
  readonly agent: Agent | undefined;
}

/** Where the API server is, and what it asks of us. */
export interface Connection {
  /** `https://192.168.0.1:6443`, with a path where the server has one; another one once fresh credentials name it. */
  readonly server: URL;
  /**
   * What to send with a request made now: files are read again, plug-ins are asked again when their answer
   * has expired. `fresh` forgets all that is known and reads it anew, the server's address included, for when the
   * server refused the credentials or cannot be verified.
   */
  credentials(options: { readonly fresh: boolean }): Promise<Credentials>;
}
