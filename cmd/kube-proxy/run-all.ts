/** A part of the program. Runs until the signal aborts. Throws the error after which it cannot go on. */
export type Part = (signal: AbortSignal) => Promise<void>;

/**
 * Runs all parts until the signal aborts and all have ended. If one throws, the others are aborted, and the first error is thrown
 * when they have ended.
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
