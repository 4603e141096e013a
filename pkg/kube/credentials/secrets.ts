import type { Credentials } from './connection.ts';

/** How many secrets are remembered: those of the last few rotations. */
const secretLimit = 16;
/** Shorter secrets are ignored, as they are parts of ordinary words. */
const shortestSecret = 4;
/** A truncated secret is recognised by its first characters. */
const beginning = 12;
const deepestCause = 8;

/** The text in place of a secret. */
const hidden = '(hidden)';

/** Removes our credentials from texts that people see, as servers and gateways repeat headers in their answers. */
export class Secrets {
  readonly #known = new Set<string>();
  readonly #patterns: RegExp[] = [];

  /** Remembers the secrets of a request to a server. */
  note({ headers }: Pick<Credentials, 'headers'>, server: URL): void {
    const [scheme = '', value = ''] = (headers['authorization'] ?? '').split(' ');
    this.#add(value);
    if (scheme === 'Basic') {
      const decoded = Buffer.from(value, 'base64').toString();
      this.#add(decoded.slice(decoded.indexOf(':') + 1));
    }
    this.#add(server.password);
  }

  /** The text without the secrets. */
  hide(text: string): string {
    let result = text.replaceAll(/\b(bearer|basic) +[\w.~+/=-]{20,}/gi, `$1 ${hidden}`);
    for (const pattern of this.#patterns) result = result.replaceAll(pattern, hidden);
    return result;
  }

  /** The same error, with the secrets removed from its texts and those of its causes. */
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
