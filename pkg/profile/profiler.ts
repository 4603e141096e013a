import { Session } from 'node:inspector/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { encodeProfile, type Profile } from './pprof.ts';
import { cpuProfile, heapProfile, type SampledHeap } from './v8.ts';

/** Microseconds between two samples of the stack, as in Go; bytes between two of what is allocated, as in Go. */
const cpuInterval = 10_000;
const heapInterval = 512 * 1024;

const compress = promisify(gzip);

/** Profiles of this process, each as a compressed file of pprof's. */
export interface Profiler {
  /** What the program does for so many milliseconds, or until the signal aborts; `busy` if it is being watched already. */
  cpu(milliseconds: number, signal: AbortSignal): Promise<Uint8Array | 'busy'>;
  /** What was allocated since the start and lives. */
  heap(): Promise<Uint8Array>;
}

/** Starts to take samples of what is allocated. They cost little, and memory grows with what lives. */
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
