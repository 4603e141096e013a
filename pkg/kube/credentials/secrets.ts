import type { Credentials } from './connection.ts';

/** How many secrets are remembered: those of the last few rotations. */
const secretLimit = 16;
/** Shorter texts are part of ordinary words. */
const shortestSecret = 4;
/** A secret that somebody cut is still known by its beginning. */
const beginning = 12;
const deepestCause = 8;

/** What stands in place of a secret. */
const hidden = '(hidden)';

/** Keeps what we send to authenticate out of texts that people see: servers and gateways echo headers in their answers. */
export class Secrets {
  readonly #known = new Set<string>();
  readonly #patterns: RegExp[] = [];

  /** Remembers what is secret in a request to a server. */
  note({ headers }: Pick<Credentials, 'headers'>, server: URL): void {
    const [scheme = '', value = ''] = (headers['authorization'] ?? '').split(' ');
    this.#add(value);
    if (scheme === 'Basic') {
      const decoded = Buffer.from(value, 'base64').toString();
      this.#add(decoded.slice(decoded.indexOf(':') + 1));
    }
    this.#add(server.password);
  }

  /** The text without any of them. */
  hide(text: string): string {
    let result = text.replaceAll(/\b(bearer|basic) +[\w.~+/=-]{20,}/gi, `$1 ${hidden}`);
    for (const pattern of this.#patterns) result = result.replaceAll(pattern, hidden);
    return result;
  }

  /** The error itself; its text and that of its causes are without any of them. */
  hideIn(error: unknown): unknown {
    let cause = error;
    for (let depth = 0; depth < deepestCause && cause instanceof Error; depth++) {
      for (const name of ['message', 'stack'] as const) {
        const before = cause[name] ?? '';
        const after = this.hide(cause[name] ?? '');
        if (after !== before) Reflect.set(cause, name, after);
      }
      cause = cause.cause;
    }
    return error;
  }

  #add(secret: string): void {
    if (secret.length < shortestSecret || this.#known.has(secret)) return;
    this.#known.add(secret);
    const start = secret.slice(0, beginning).replaceAll(/[^\w]/g, String.raw`\$&`);
    const rest = secret.length > beginning ? '[\\w.~+/=-]*' : '';
    this.#patterns.push(new RegExp(start + rest, 'g'));
    if (this.#patterns.length <= secretLimit) return;
    this.#patterns.shift();
    const [oldest] = this.#known;
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}
