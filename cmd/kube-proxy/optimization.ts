import { setFlagsFromString } from 'node:v8';

/** The version of Node whose V8 this was measured with. Others keep their defaults. */
const measuredNode = '24';

/**
 * How often V8 calls a function before it compiles it with Maglev and with TurboFan, in place of 400 and 3,000 times. A first sync calls
 * most of its functions some thousand times and is over: until then most of what the compilers make costs more time than it saves.
 * What goes on for longer is compiled as before (`docs/performance.md`).
 */
export const optimizationFlags = [
  '--invocation-count-for-maglev=2000',
  '--invocation-count-for-turbofan=100000',
] as const;

/** Has V8 compile functions later that are called often. Memory settings are for the command line: V8 reads those when it starts. */
export function postponeOptimization(): void {
  if (!process.versions.node.startsWith(`${measuredNode}.`)) return;
  for (const flag of optimizationFlags) setFlagsFromString(flag);
}
