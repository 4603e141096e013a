/** A metric: what it is called, what it says and how it is told apart. */
export interface Definition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** The whole name, as it is scraped. */
  readonly name: string;
  readonly help: string;
  /** How stable Kubernetes calls it, which stands before the help; for metrics of upstream's alone. */
  readonly stability?: 'ALPHA' | 'BETA';
  readonly labels: readonly string[];
  /** Upper bounds, for a histogram. */
  readonly buckets?: readonly number[];
}

/** The help of a metric as it is scraped: `[ALPHA] Cumulative proxy livez HTTP status`. */
export function printHelp({ help, stability }: Pick<Definition, 'help' | 'stability'>): string {
  return stability === undefined ? help : `[${stability}] ${help}`;
}
