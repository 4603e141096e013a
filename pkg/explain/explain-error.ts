/** A question that cannot be answered: the reason is for the user. */
export class ExplainError extends Error {
  constructor(reason: string, { cause }: { cause?: unknown } = {}) {
    super(reason, { cause });
    this.name = 'ExplainError';
  }
}
