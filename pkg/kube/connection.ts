import type { Agent } from 'node:http';

/** What TLS needs to know, as node:tls calls it; all absent for plain HTTP. */
export interface TlsOptions {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** How to introduce oneself right now. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions;
  /** Goes through a proxy, where one is configured; `undefined` for a direct connection. */
  readonly agent: Agent | undefined;
}

/** Where the API server is, and what it asks of us. */
export interface Connection {
  /** `https://192.168.0.1:6443`, with a path where the server has one. */
  readonly server: URL;
  /**
   * What to send with a request made now: files are read again, plug-ins are asked again when their answer
   * has expired. `fresh` forgets all earlier answers, for when the server refused them.
   */
  credentials(options: { readonly fresh: boolean }): Promise<Credentials>;
}
