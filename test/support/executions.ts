import { Session } from 'node:inspector/promises';
import { setFlagsFromString } from 'node:v8';

/** How often each function of the program ran, the bodies of its loops and branches included, by `file function`. */
export type Executions = ReadonlyMap<string, number>;

/** Code of the program as opposed to what tests put in its place. */
const ours = /\/(pkg\/(?!.*(fake|manual-clock|memory|[.]test)[.]ts).*[.]ts)$/;

/**
 * Counts, by V8's own coverage, what work executes: loops that grow are seen, whatever time they take. What the engine does
 * by itself (copying a set, looking for a text) is not counted. Loops of modules that were loaded before the counter was made would
 * not be either: to run such a module is an error.
 */
export class ExecutionCounter {
  readonly #session = new Session();

  /** Made by {@link start}. */
  private constructor() {}

  /** Begins to count; nothing runs fast from now on, until {@link stop}. */
  static async start(): Promise<ExecutionCounter> {
    setFlagsFromString('--no-maglev'); // what it compiles does not count
    setFlagsFromString('--no-turbofan'); // nor all of what the next one does
    setFlagsFromString('--no-compilation-cache'); // a module that is loaded again would be the one that does not count
    const counter = new ExecutionCounter();
    counter.#session.connect();
    await counter.#session.post('Profiler.enable');
    await counter.#session.post('Profiler.startPreciseCoverage', {
      callCount: true,
      detailed: true,
    });
    return counter;
  }

  /** What some work executes. */
  async count(work: () => Promise<void>): Promise<Executions> {
    await this.#take();
    await work();
    return this.#take();
  }

  async stop(): Promise<void> {
    await this.#session.post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
    setFlagsFromString('--maglev');
    setFlagsFromString('--turbofan');
    setFlagsFromString('--compilation-cache');
  }

  /** What ran since the last time. */
  async #take(): Promise<Executions> {
    const { result } = await this.#session.post('Profiler.takePreciseCoverage');
    const executions = new Map<string, number>();
    for (const { url, functions } of result) {
      const file = ours.exec(url)?.[1];
      if (file === undefined) continue;
      for (const { functionName, ranges, isBlockCoverage } of functions) {
        const name = `${file} ${functionName}`;
        const count = ranges.reduce((sum, range) => sum + range.count, 0);
        if (count === 0) continue;
        if (!isBlockCoverage) throw new Error(`${name} was loaded before the counter was made`);
        executions.set(name, (executions.get(name) ?? 0) + count);
      }
    }
    return executions;
  }
}

/** What was executed clearly more often the second time, as `file function: 20 → 400`. */
export function growth(before: Executions, after: Executions): readonly string[] {
  return [...after].flatMap(([name, count]) => {
    const last = before.get(name) ?? 0;
    return count > last + slack ? [`${name}: ${last} → ${count}`] : [];
  });
}

/** What was executed more often than in proportion to a size that grew by a factor, as `file function: 20 → 400`. */
export function superlinearGrowth(
  before: Executions,
  { after, factor }: { after: Executions; factor: number },
): readonly string[] {
  return [...after].flatMap(([name, count]) => {
    const last = before.get(name) ?? 0;
    return count > last * factor * tolerance + slack * factor
      ? [`${name}: ${last} → ${count}`]
      : [];
  });
}

/** Sorting takes a little more than its share, and what is done in parts at once begins at a size. Squares would be the factor. */
const tolerance = 2;

/** V8 misses a few calls of functions that it forgets and compiles again. */
const slack = 20;
