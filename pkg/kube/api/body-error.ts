/** A body that is incomplete, malformed or too large. */
export class BodyError extends Error {
  constructor(reason: string, { cause }: { cause?: unknown } = {}) {
    super(reason, { cause });
    this.name = 'BodyError';
  }
}
