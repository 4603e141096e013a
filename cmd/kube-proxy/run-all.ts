/** A part of the program: it works until the signal aborts, and throws what it cannot go on after. */
export type Part = (signal: AbortSignal) => Promise<void>;

/**
 * Runs all parts until the signal aborts and all have ended. When one throws, the others are told to end, and the
 * first error is thrown once they have.
 */
export async function runAll(parts: readonly Part[], signal: AbortSignal): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const errors: unknown[] = [];
  await Promise.all(
    parts.map(async (part) => {
      try {
        await part(either);
      } catch (error) {
        errors.push(error);
        failed.abort();
      }
    }),
  );
  if (errors.length > 0) throw errors[0];
}
