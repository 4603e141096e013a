import { quantile } from '../run.ts';
import { type ModeName, modeNames, type Outcome, type Results, type Row } from './results.ts';

/** All values of one measure of a mode at a size. */
export type Sample =
  | {
      readonly kind: 'values';
      readonly least: number;
      readonly median: number;
      readonly most: number;
    }
  | { readonly kind: 'timeout' | 'failed' };

/** What a sample is of. */
export interface Place {
  readonly mode: ModeName;
  readonly services: number;
  readonly endpoints: number;
}

/** Results by place and measure. */
export class Summary {
  readonly environments: readonly string[];
  readonly #rows: readonly Row[];
  readonly #values = new Map<string, Outcome[]>();

  constructor({ environments, rows }: Results) {
    this.environments = environments;
    this.#rows = rows;
    for (const row of rows) {
      const values = this.#values.get(key(row, row.measure)) ?? [];
      this.#values.set(key(row, row.measure), [...values, row.value]);
    }
  }

  /** The modes that have results, in the order of {@link modeNames}. */
  get modes(): readonly ModeName[] {
    return modeNames.filter((name) => this.#rows.some(({ mode }) => mode === name));
  }

  /** Numbers of Services that have results with so many endpoints each. */
  services(endpoints: number): readonly number[] {
    const found = this.#rows.filter((row) => row.endpoints === endpoints);
    return [...new Set(found.map((row) => row.services))].sort((one, other) => one - other);
  }

  /** How often a mode was measured at a size. */
  runs(place: Place): number {
    const outcomes = this.#values.get(key(place, countedMeasure(place.mode))) ?? [];
    return outcomes.filter((outcome) => outcome !== 'failed').length;
  }

  /** Runs that ended early because something failed. */
  get failures(): readonly Row[] {
    return this.#rows.filter(({ value }) => value === 'failed');
  }

  /** Whether a mode ran out of time at a size: it is not asked again then. */
  isGivenUp({ mode, services, endpoints }: Place): boolean {
    return this.#rows.some(
      (row) =>
        row.mode === mode &&
        row.services === services &&
        row.endpoints === endpoints &&
        row.value === 'timeout',
    );
  }

  /** `undefined` where nothing was measured. One run out of time counts for all. */
  sample(place: Place, measure: string): Sample | undefined {
    const outcomes = this.#values.get(key(place, measure));
    if (outcomes === undefined) return undefined;
    if (outcomes.includes('timeout')) return { kind: 'timeout' };
    const values = outcomes.filter((outcome) => typeof outcome === 'number');
    if (values.length === 0) return { kind: 'failed' };
    return {
      kind: 'values',
      least: Math.min(...values),
      median: quantile(values, 0.5),
      most: Math.max(...values),
    };
  }

  /** The median of a measure; `undefined` where there is none. */
  median(place: Place, measure: string): number | undefined {
    const sample = this.sample(place, measure);
    return sample?.kind === 'values' ? sample.median : undefined;
  }
}

/** Something that each run has once. */
function countedMeasure(mode: ModeName): string {
  return mode === 'none' ? 'user_kib' : 'program_wall_ms';
}

function key({ mode, services, endpoints }: Place, measure: string): string {
  return `${mode} ${services} ${endpoints} ${measure}`;
}
