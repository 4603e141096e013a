import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

/** Who may ask: holders of bearer tokens, and of certificates that the server's authority made. */
export class Credentials {
  readonly #users = new Map<string, string>();

  constructor(tokens: Readonly<Record<string, string>>) {
    for (const [token, user] of Object.entries(tokens)) this.#users.set(token, user);
  }

  /** Makes a token valid, a new one if none is given. */
  add(user: string, token: string = randomBytes(16).toString('hex')): string {
    this.#users.set(token, user);
    return token;
  }

  /** From now on the token is answered with 401. */
  expire(token: string): void {
    this.#users.delete(token);
  }

  /** Some valid token; '' if there is none. */
  any(): string {
    return this.#users.keys().next().value ?? '';
  }

  /** Who asks, or `undefined` for nobody known. */
  userOf({ headers, socket }: IncomingMessage): string | undefined {
    const token = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
    if (token !== undefined) return this.#users.get(token);
    if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
    const name = socket.getPeerCertificate().subject?.CN;
    return Array.isArray(name) ? name[0] : name;
  }
}
