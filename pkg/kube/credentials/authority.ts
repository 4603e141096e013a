import { X509Certificate } from 'node:crypto';
import type { AuthorityReload, CredentialMetrics } from '../metrics.ts';
import type { Config, ConfigSource } from './kubeconfig.ts';
import { checkUsable, type Found, fileOrData, refuseEmpty } from './static-credentials.ts';

/** Reads the certificate authority of a kubeconfig, and counts how reading its file again ends. */
export class AuthorityReader {
  readonly #source: ConfigSource;
  readonly #metrics: CredentialMetrics;
  /** The last one that could be used. */
  #last: Found | undefined;

  constructor(source: ConfigSource, metrics: CredentialMetrics) {
    this.#source = source;
    this.#metrics = metrics;
  }

  /** The certificate authority, `undefined` for none. Throws a ConfigError if it cannot be read or used. */
  read({ cluster }: Config): Found | undefined {
    const fields = { fields: cluster, name: 'certificate-authority' };
    const found = this.#step('read_error', () => fileOrData(this.#source, fields));
    if (found === undefined) return undefined;
    this.#step('empty', () => refuseEmpty(this.#source, found));
    const { bytes, place, isFile } = found;
    const isSame = this.#last?.bytes.equals(bytes) === true;
    // Node ignores an authority that it cannot parse.
    const use = () => new X509Certificate(bytes);
    if (!isSame)
      this.#step('ca_parse_error', () => checkUsable(this.#source, { name: place, use }));
    if (isFile) this.#count(isSame ? 'unchanged' : 'updated');
    this.#last = found;
    return found;
  }

  /** Does one step of reading. If it throws, counts why. */
  #step<Result>(failure: AuthorityReload, step: () => Result): Result {
    try {
      return step();
    } catch (error) {
      this.#count(failure);
      throw error;
    }
  }

  /** The first reading is none of again. */
  #count(reload: AuthorityReload): void {
    if (this.#last?.isFile === true) this.#metrics.authorityReloaded(reload);
  }
}
