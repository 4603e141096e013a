import type { Clock } from '../../runner/clock.ts';
import type { RequestMetrics, RequestTarget } from '../metrics.ts';
import type { Answer } from './transport.ts';

/** What is known of a request when it is sent. */
interface MeteredRequest extends RequestTarget {
  /** When its credentials were asked for. */
  readonly start: number;
  readonly isRetry: boolean;
  readonly isWatch: boolean;
  readonly body: string | undefined;
}

export interface RequestMeterOptions {
  readonly clock: Clock;
  readonly metrics: RequestMetrics;
}

/** Counts one request: its answer, its duration and the sizes of both bodies. */
export class RequestMeter {
  readonly #request: MeteredRequest;
  readonly #options: RequestMeterOptions;

  constructor(request: MeteredRequest, options: RequestMeterOptions) {
    this.#request = request;
    this.#options = options;
  }

  /** Counts a request that failed without an answer. */
  failed(): void {
    this.#count('<error>');
  }

  /** Counts an answer. Returns it so that its body is counted when it has been read to its end. */
  answered(answer: Answer): Answer {
    this.#count(`${answer.status}`);
    if (this.#request.isWatch) return answer;
    return {
      ...answer,
      read: async (take) => {
        let size = 0;
        await answer.read((bytes) => {
          size += bytes.length;
          return take(bytes);
        });
        this.#options.metrics.received({ ...this.#target, size });
      },
    };
  }

  get #target(): RequestTarget {
    const { method, host } = this.#request;
    return { method, host };
  }

  #count(code: string): void {
    const { clock, metrics } = this.#options;
    const { start, isRetry, isWatch, body } = this.#request;
    const duration = (clock.now() - start) / 1000;
    metrics.requested({ ...this.#target, code, duration, isRetry });
    const size = body === undefined ? 0 : Buffer.byteLength(body);
    if (!isWatch) metrics.sent({ ...this.#target, size });
  }
}
