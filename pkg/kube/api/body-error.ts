/** A body that breaks off, is malformed, or is larger than anybody would send. */
export class BodyError extends Error {
  constructor(reason: string, { cause }: { cause?: unknown } = {}) {
    super(reason, { cause });
    this.name = 'BodyError';
  }
}
