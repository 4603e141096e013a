import { setFlagsFromString } from 'node:v8';
import type { Reporter } from '../../pkg/proxy/reporter.ts';

/** The version of Node whose V8 this was measured with. Others keep their defaults. */
const measuredNode = '24';

/**
 * When V8 optimizes a function with Maglev and TurboFan: after more calls than the usual 400 and 3,000. A first sync is over by then,
 * and most of what these compilers make would cost more time than it saves. What goes on for longer is compiled as before
 * (`docs/performance.md`).
 */
const optimizeLater = [
  '--invocation-count-for-maglev=2000',
  '--invocation-count-for-turbofan=100000',
];

/**
 * Whether V8 compiles a function without optimization (Sparkplug) at its eighth call, in place of waiting until there are several to
 * compile. A first sync of many Services calls most of its functions some thousand times. What runs before and after it is called too
 * seldom for that: a start would take a tenth longer.
 */
const compileSoon = '--no-baseline-batch-compilation';
const compileInBatches = '--baseline-batch-compilation';
/** So many Services are many. */
const manyServices = 500;

/** Every flag that differs from V8's defaults at some time. */
export const optimizationFlags: readonly string[] = [compileSoon, ...optimizeLater];

/** Has V8 optimize later. Memory settings are for the command line: V8 reads those when it starts. */
export function postponeOptimization(): void {
  setFlags(...optimizeLater);
}

/** A reporter that has V8 compile soon while a first sync of many Services runs, and passes all reports on. */
export function compilingFirstSync(reporter: Reporter): Reporter {
  return {
    ...reporter,
    firstSyncBegins(services) {
      if (services >= manyServices) setFlags(compileSoon);
      reporter.firstSyncBegins(services);
    },
    firstSyncDone() {
      setFlags(compileInBatches);
      reporter.firstSyncDone();
    },
  };
}

function setFlags(...flags: readonly string[]): void {
  if (!process.versions.node.startsWith(`${measuredNode}.`)) return;
  for (const flag of flags) setFlagsFromString(flag);
}
