import { Counter, Gauge, type Registry } from 'prom-client';

/** One sample of a metric. */
export interface ScrapedSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric whose samples are made at each scrape. Its maker limits their number. */
export interface ScrapedMetric {
  readonly type: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Never throws: errors are reported elsewhere. */
  readonly samples: () => Promise<readonly ScrapedSample[]>;
}

/** Registers a metric so that its samples are made at each scrape. */
export function registerScraped(
  { type, name, help, labels, samples }: ScrapedMetric,
  registry: Registry,
): void {
  const options = { name, help, labelNames: labels, registers: [registry] };
  if (type === 'counter') {
    new Counter({
      ...options,
      async collect(this: Counter) {
        const found = await samples();
        this.reset();
        for (const each of found) this.inc(each.labels, each.value);
      },
    });
  } else {
    new Gauge({
      ...options,
      async collect(this: Gauge) {
        const found = await samples();
        this.reset();
        for (const each of found) this.set(each.labels, each.value);
      },
    });
  }
}
