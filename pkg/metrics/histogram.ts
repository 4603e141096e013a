import type { Metric } from 'prom-client';
import { BoundedLabels } from './bounded-labels.ts';
import { type Definition, printHelp } from './definition.ts';

/** The labels of one sample, with `le` for a bucket. */
type SampleLabels = Readonly<Record<string, string | number>>;

/** One line of an exposition, as prom-client's registry prints it. */
interface Sample {
  readonly metricName: string;
  readonly labels: SampleLabels;
  readonly value: number;
}

/** One series of a histogram. An observation adds to two numbers and allocates nothing. */
export class HistogramSeries {
  readonly #bounds: readonly number[];
  /** The number of values in each bucket, not cumulative. The last one is for values above all bounds. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** Counts a value. NaN is ignored, as it would make the sum NaN. */
  observe(value: number): void {
    if (Number.isNaN(value)) return;
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at++; // within the list
    this.#counts[at] = (this.#counts[at] as number) + 1; // one longer than the bounds
    this.#sum += value;
  }

  /** The samples of the series: cumulative buckets, sum and count. */
  samples(name: string, labels: SampleLabels): readonly Sample[] {
    let count = 0;
    const buckets = [...this.#counts].map((own, at) => {
      count += own;
      const le = this.#bounds[at] ?? '+Inf';
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}

/**
 * A histogram whose series can be kept by callers that observe often. prom-client's histogram looks a series up by its labels each
 * time, which takes 700 bytes and some microseconds.
 */
export class LabelledHistogram {
  readonly name: string;
  readonly #row: Definition;
  readonly #bounded = new BoundedLabels<string>();
  readonly #series = new Map<string, { labels: SampleLabels; series: HistogramSeries }>();

  constructor(row: Definition) {
    this.name = row.name;
    this.#row = row;
    // A metric without labels has its series from the start.
    if (row.labels.length === 0) this.series({});
  }

  /** The series of some label values. */
  series(given: Readonly<Record<string, string>>): HistogramSeries {
    const labels = this.#bounded.of(given);
    const key = this.#row.labels.map((label) => labels[label]).join('\0');
    const known = this.#series.get(key);
    if (known !== undefined) return known.series;
    const series = new HistogramSeries(this.#row.buckets ?? []);
    this.#series.set(key, { labels, series });
    return series;
  }

  /** Counts a value in the series of some label values. */
  observe(labels: Readonly<Record<string, string>>, value: number): void {
    this.series(labels).observe(value);
  }

  /** The metric for prom-client's registry. */
  get registered(): Metric {
    const { name } = this;
    const get = async () => ({
      name,
      help: printHelp(this.#row),
      type: 'histogram',
      values: [...this.#series.values()].flatMap(({ labels, series }) =>
        series.samples(name, labels),
      ),
    });
    // The registry uses these two only. prom-client's own class cannot be used without its storage.
    return { name, get } as unknown as Metric;
  }
}
