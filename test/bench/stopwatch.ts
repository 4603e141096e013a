/** Where time goes, by the part of the kernel that it goes to. */

/** The parts that are measured separately. */
export const parts = ['ipvs', 'ipset', 'addresses', 'rules'] as const;
/** One of {@link parts}. */
export type Part = (typeof parts)[number];

/** Milliseconds and calls of one part, reads and writes apart. */
export interface Lap {
  reading: number;
  writing: number;
  reads: number;
  writes: number;
}

/** Sums up how long the methods of the kernel interfaces take. */
export class Stopwatch {
  #laps = noLaps();
  /** When the last call ended, on the clock of `performance.now()`. */
  lastEnd = 0;

  get laps(): Readonly<Record<Part, Lap>> {
    return this.#laps;
  }

  reset(): void {
    this.#laps = noLaps();
  }

  /** The same object, some of whose methods are timed. */
  time<T extends object>(
    target: T,
    {
      part,
      reads,
      writes,
    }: { part: Part; reads: readonly (keyof T)[]; writes: readonly (keyof T)[] },
  ): T {
    return new Proxy(target, {
      get: (object, name) => {
        const value: unknown = Reflect.get(object, name, object);
        if (typeof value !== 'function') return value;
        const isWrite = writes.includes(name as keyof T);
        if (!isWrite && !reads.includes(name as keyof T)) return value.bind(object) as unknown;
        return (...parameters: unknown[]): unknown => {
          const start = performance.now();
          const result: unknown = Reflect.apply(value, object, parameters);
          if (!(result instanceof Promise)) {
            this.#note({ part, isWrite, start });
            return result;
          }
          return result.finally(() => this.#note({ part, isWrite, start }));
        };
      },
    });
  }

  #note({ part, isWrite, start }: { part: Part; isWrite: boolean; start: number }): void {
    this.lastEnd = performance.now();
    const lap = this.#laps[part];
    if (isWrite) {
      lap.writing += this.lastEnd - start;
      lap.writes++;
    } else {
      lap.reading += this.lastEnd - start;
      lap.reads++;
    }
  }
}

function noLaps(): Record<Part, Lap> {
  const lap = (): Lap => ({ reading: 0, writing: 0, reads: 0, writes: 0 });
  return { ipvs: lap(), ipset: lap(), addresses: lap(), rules: lap() };
}
