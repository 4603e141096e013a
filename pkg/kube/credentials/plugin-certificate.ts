import { X509Certificate } from 'node:crypto';
import type { Clock } from '../../runner/clock.ts';
import type { CredentialMetrics } from '../metrics.ts';

/** Counts how the client certificate of the exec plug-in changes. */
export class PluginCertificate {
  readonly #clock: Pick<Clock, 'wallClock'>;
  readonly #metrics: CredentialMetrics;
  /** The certificate in PEM, and the times of its validity in milliseconds since 1970. */
  #last: { readonly text: string; readonly from: number; readonly to: number } | undefined;

  constructor(clock: Pick<Clock, 'wallClock'>, metrics: CredentialMetrics) {
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** Takes in the certificate that is used now, in PEM; `undefined` for none. One that cannot be parsed counts as none. */
  use(text: string | undefined): void {
    const last = this.#last;
    if (text === last?.text) return;
    if (last !== undefined)
      this.#metrics.pluginCertificateRotated((this.#clock.wallClock() - last.from) / 1000);
    const validity = text === undefined ? undefined : validityOf(text);
    this.#last = text === undefined || validity === undefined ? undefined : { text, ...validity };
    this.#metrics.pluginCertificate(this.#last?.to);
  }
}

function validityOf(text: string): { from: number; to: number } | undefined {
  try {
    const { validFromDate, validToDate } = new X509Certificate(text);
    return { from: validFromDate.getTime(), to: validToDate.getTime() };
  } catch {
    return undefined; // The handshake that uses it says what is wrong.
  }
}
