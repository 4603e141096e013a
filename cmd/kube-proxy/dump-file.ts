import { open, rename, rm } from 'node:fs/promises';

/**
 * Writes a file that its owner alone may read. It has its name only when it is whole; until then it is beside it, with `.part` at the
 * end. Throws what keeps it from being written, and leaves nothing then.
 */
export async function writePrivately(path: string, chunks: Iterable<string>): Promise<void> {
  const part = `${path}.part`;
  await rm(part, { force: true });
  // Not over a file or a link that somebody else put there.
  const file = await open(part, 'wx', 0o600);
  try {
    for (const chunk of chunks) await file.write(chunk);
    await file.sync();
    await file.close();
    await rename(part, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error;
  }
}
