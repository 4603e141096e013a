import { Session } from 'node:inspector/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { encodeProfile, type Profile } from './pprof.ts';
import { cpuProfile, heapProfile, type SampledHeap } from './v8.ts';

/** The intervals between samples, as in Go: microseconds for the stack, bytes for allocations. */
const cpuInterval = 10_000;
const heapInterval = 512 * 1024;

const compress = promisify(gzip);

/** Makes profiles of this process, as compressed pprof files. */
export interface Profiler {
  /** Profiles the CPU for some milliseconds or until the signal aborts; `busy` if another profile is being made. */
  cpu(milliseconds: number, signal: AbortSignal): Promise<Uint8Array | 'busy'>;
  /** Profiles the live memory that was allocated since the start. */
  heap(): Promise<Uint8Array>;
}

/** Starts to sample allocations. The cost is small; the memory grows with the live objects. */
export async function startProfiler({
  wallClock,
  pause,
}: {
  wallClock: () => number;
  pause: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}): Promise<Profiler> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: cpuInterval });
  await session.post('HeapProfiler.startSampling', { samplingInterval: heapInterval });
  let isBusy = false;
  return {
    async cpu(milliseconds, signal) {
      if (isBusy) return 'busy';
      isBusy = true;
      try {
        const time = wallClock();
        await session.post('Profiler.start');
        await pause(milliseconds, signal);
        const { profile } = await session.post('Profiler.stop');
        return await fileOf(cpuProfile(profile, { interval: cpuInterval, time }));
      } finally {
        isBusy = false;
      }
    },
    async heap() {
      const { profile } = await session.post('HeapProfiler.getSamplingProfile');
      const sampled = profile as unknown as SampledHeap; // as the protocol has it
      return await fileOf(heapProfile(sampled, { interval: heapInterval, time: wallClock() }));
    },
  };
}

async function fileOf(profile: Profile): Promise<Uint8Array> {
  return await compress(encodeProfile(profile));
}
