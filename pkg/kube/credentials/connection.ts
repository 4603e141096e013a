import type { Agent } from 'node:http';

/** The TLS options, named as in node:tls. All are absent for plain HTTP. */
export interface TlsOptions {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** Where certificates come from, for messages: `/etc/kubernetes/ca.crt`. */
export interface CertificatePlaces {
  readonly authority?: string;
  readonly clientCertificate?: string;
}

/** What authenticates a request. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions;
  readonly places?: CertificatePlaces;
  /** The agent for a proxy; `undefined` for a direct connection. */
  readonly agent: Agent | undefined;
}

/** The address of the API server, and the credentials for it. */
export interface Connection {
  /** `https://192.168.0.1:6443`, with a path if the server has one. Fresh credentials may change it. */
  readonly server: URL;
  /**
   * The credentials for a request made now. Files are read again, and plug-ins are run again when their answer has expired. With
   * `fresh`, everything is read again, including the server's address: for when the server refused the credentials or cannot be
   * verified.
   */
  credentials(options: { readonly fresh: boolean }): Promise<Credentials>;
}
