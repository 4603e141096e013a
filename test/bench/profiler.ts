import { type Profiler, Session } from 'node:inspector/promises';

/** A profile of the CPU that is being taken. */
export interface RunningProfile {
  /** Ends it and returns what was seen. */
  stop(): Promise<Profiler.Profile>;
}

/** Profiles this process from now on, with a sample each `interval` microseconds. */
export async function startProfile(interval = 200): Promise<RunningProfile> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval });
  await session.post('Profiler.start');
  return {
    async stop() {
      const { profile } = await session.post('Profiler.stop');
      session.disconnect();
      return profile;
    },
  };
}
