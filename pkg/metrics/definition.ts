/** The definition of a metric. */
export interface Definition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** The full name in the exposition. */
  readonly name: string;
  readonly help: string;
  /** Kubernetes' stability level, printed before the help; only for upstream's metrics. */
  readonly stability?: 'ALPHA' | 'BETA';
  readonly labels: readonly string[];
  /** The upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
}

/** The help text in the exposition: `[ALPHA] Cumulative proxy livez HTTP status`. */
export function printHelp({ help, stability }: Pick<Definition, 'help' | 'stability'>): string {
  return stability === undefined ? help : `[${stability}] ${help}`;
}
