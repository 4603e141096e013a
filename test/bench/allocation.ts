import { type HeapProfiler, Session } from 'node:inspector/promises';

/**
 * How many bytes some work allocates, as V8 samples it; what is freed meanwhile is counted. `interval` is the mean number of bytes
 * between two samples: a small one is exact, and slow.
 */
export async function allocated(
  work: () => Promise<unknown>,
  { interval = 512 } = {},
): Promise<number> {
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: interval,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  await work();
  const { profile } = await session.post('HeapProfiler.stopSampling');
  session.disconnect();
  return bytesOf(profile.head);
}

function bytesOf({ selfSize, children }: HeapProfiler.SamplingHeapProfileNode): number {
  return children.reduce((sum, child) => sum + bytesOf(child), selfSize);
}
