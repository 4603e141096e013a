import { Counter as PromCounter, Gauge as PromGauge, Registry } from 'prom-client';
import { BoundedLabels } from './bounded-labels.ts';
import { type Definition, printHelp } from './definition.ts';
import { LabelledHistogram } from './histogram.ts';
import { processReadings, type Reading } from './process.ts';
import { registerScraped, type ScrapedMetric } from './scraped.ts';
import { indicators, table } from './table.ts';

/** A value for each label. */
type Labels<Label extends string> = Readonly<Record<Label, string>>;

/** A number that only grows. */
export interface Counter<Label extends string> {
  inc(labels: Labels<Label>, count?: number): void;
}

/** A number that goes up and down. */
export interface Gauge<Label extends string> {
  set(labels: Labels<Label>, value: number): void;
  inc(labels: Labels<Label>, count?: number): void;
  dec(labels: Labels<Label>, count?: number): void;
  /** Removes a series, and frees the places of its label values. */
  remove(labels: Labels<Label>): void;
}

/** Counts values of one series. */
interface Observer {
  observe(value: number): void;
}

/** Counts values by bucket. */
export interface Histogram<Label extends string> {
  observe(labels: Labels<Label>, value: number): void;
  /** The series of some labels, for callers that observe often. It is exposed from now on. */
  series(labels: Labels<Label>): Observer;
}

type MetricOf<Row extends Definition> = Row['type'] extends 'counter'
  ? Counter<Row['labels'][number]>
  : Row['type'] extends 'gauge'
    ? Gauge<Row['labels'][number]>
    : Histogram<Row['labels'][number]>;

type Table = typeof table & typeof indicators;

/** The answers to a scrape. */
export interface Exposition {
  readonly contentType: string;
  text(): Promise<string>;
}

/** All metrics of the program by their name in the table: `metrics.syncDuration.observe({ ip_family: 'IPv4' }, 0.02)`. */
export type Metrics = { readonly [Name in keyof Table]: MetricOf<Table[Name]> } & {
  /** The metrics of `/metrics`. */
  readonly exposition: Exposition;
  /** The metrics of `/metrics/slis`. */
  readonly indicators: Exposition;
  /** Adds metrics to `/metrics` whose samples are made at each scrape. */
  addScraped(more: readonly ScrapedMetric[]): void;
  /** Calls back at the beginning of each scrape of `/metrics`. The callback must not throw. */
  onScrape(callback: () => void): void;
};

/**
 * The metrics of one program, in a registry of their own. Until somebody scrapes, a count costs an addition; readings
 * are numbers that others count.
 */
export function createMetrics(readings: readonly Reading[] = []): Metrics {
  const main = new Registry();
  const few = new Registry();
  for (const reading of [...processReadings, ...readings]) register(reading, main);
  const created = [...createAll(table, main), ...createAll(indicators, few)];
  const metrics = Object.fromEntries(created) as Omit<
    Metrics,
    'exposition' | 'indicators' | 'addScraped' | 'onScrape'
  >; // as the tables' types say
  countRegistered(metrics);
  const atScrape: (() => void)[] = [];
  return {
    ...metrics,
    exposition: expositionOf(main, atScrape),
    indicators: expositionOf(few),
    addScraped(more) {
      for (const each of more) registerScraped(each, main);
    },
    onScrape: (callback) => void atScrape.push(callback),
  };
}

/** How many metrics there are of each stability, as Kubernetes counts its own. */
function countRegistered(metrics: Pick<Metrics, 'registeredMetrics'>): void {
  for (const { stability } of [
    ...Object.values<Definition>(table),
    ...Object.values<Definition>(indicators),
  ])
    if (stability !== undefined)
      metrics.registeredMetrics.inc({ stability_level: stability, deprecated_version: '' });
}

function createAll(
  rows: Readonly<Record<string, Definition>>,
  registry: Registry,
): [string, unknown][] {
  return Object.entries(rows).map(([name, row]) => [name, create(row, registry)]);
}

function expositionOf(registry: Registry, atScrape: readonly (() => void)[] = []): Exposition {
  return {
    contentType: registry.contentType,
    text() {
      for (const callback of atScrape) callback();
      return registry.metrics();
    },
  };
}

/** A metric whose labels are bounded, whatever is told to it: all values come past here. */
function create(
  row: Definition,
  registry: Registry,
): Counter<string> | Gauge<string> | Histogram<string> {
  const { name, labels } = row;
  const options = { name, help: printHelp(row), labelNames: labels, registers: [registry] };
  const bounded = new BoundedLabels<string>();
  switch (row.type) {
    case 'counter': {
      const counter = new PromCounter(options);
      return { inc: (given, count) => counter.inc(bounded.of(given), count) };
    }
    case 'gauge': {
      const gauge = new PromGauge(options);
      return {
        set: (given, value) => gauge.set(bounded.of(given), value),
        inc: (given, count) => gauge.inc(bounded.of(given), count),
        dec: (given, count) => gauge.dec(bounded.of(given), count),
        remove(given) {
          gauge.remove(bounded.of(given));
          bounded.forget(given);
        },
      };
    }
    case 'histogram': {
      const histogram = new LabelledHistogram(row);
      registry.registerMetric(histogram.registered);
      return histogram;
    }
  }
}

function register({ name, help, isCounter, read }: Reading, registry: Registry): void {
  const options = { name, help, registers: [registry] };
  if (isCounter) {
    new PromCounter({
      ...options,
      collect(this: PromCounter) {
        this.reset();
        this.inc(attempt(read) ?? 0);
      },
    });
  } else {
    new PromGauge({
      ...options,
      collect(this: PromGauge) {
        this.set(attempt(read) ?? Number.NaN);
      },
    });
  }
}

/** The reading, or `undefined` where /proc does not tell: no scrape fails because of it. */
function attempt(read: () => number | undefined): number | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
