import { setFlagsFromString } from 'node:v8';

/** The version of Node whose V8 this was measured with. Others keep their defaults. */
const measuredNode = '24';

/**
 * When V8 compiles a function. Without optimization (Sparkplug) at its first call, in place of interpreting it for a while: a first sync
 * calls most of its functions some thousand times. With Maglev and TurboFan after more calls than the usual 400 and 3,000: a first sync
 * is over by then, and most of what these compilers make would cost more time than it saves. What goes on for longer is compiled as
 * before (`docs/performance.md`).
 */
export const optimizationFlags = [
  '--always-sparkplug',
  '--invocation-count-for-maglev=2000',
  '--invocation-count-for-turbofan=100000',
] as const;

/** Has V8 compile at once, and optimize later. Memory settings are for the command line: V8 reads those when it starts. */
export function postponeOptimization(): void {
  if (!process.versions.node.startsWith(`${measuredNode}.`)) return;
  for (const flag of optimizationFlags) setFlagsFromString(flag);
}
