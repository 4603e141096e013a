import { printTime, table } from '../run.ts';
import type { ModeName } from './results.ts';
import type { Sample, Summary } from './summary.ts';

/** What a table shows: a row for each size and each of its measures. */
interface TableSpec {
  readonly title: string;
  readonly endpoints: readonly number[];
  /** Words that begin a row, and the measures of which its cells are made. */
  readonly rows: readonly (readonly [words: string, measures: readonly string[]])[];
  readonly cell: (samples: readonly Sample[]) => string;
}

const connectRows = (['first', 'middle', 'last'] as const).map(
  (where) => [where, ['p01', 'p50', 'p99'].map((share) => `connect_${where}_${share}_us`)] as const,
);

const loads = {
  rr_1: 'kept connection, 1 client',
  rr_32: 'kept connection, 32 clients',
  crr_1: 'a connection each, 1 client',
  crr_32: 'a connection each, 32 clients',
} as const;

const specs: readonly TableSpec[] = [
  ...(
    [
      ['program', 'Writing everything', [2, 10]],
      ['add', 'Adding one Service', [2, 10]],
      ['change', 'Changing one endpoint', [2, 10]],
    ] as const
  ).map(([name, title, endpoints]) => ({
    title: `${title}: median (least–most)`,
    endpoints,
    rows: [
      ['time', [`${name}_wall_ms`]],
      ['CPU', [`${name}_cpu_ms`]],
    ] as const,
    cell: ([sample]: readonly Sample[]) => (sample === undefined ? '' : printRange(sample)),
  })),
  {
    title:
      'First packet: time to connect to the first, middle and last Service, p01 / p50 / p99 in µs',
    endpoints: [2],
    rows: connectRows,
    cell: (samples) => joined(samples, (value) => value.toFixed(0)),
  },
  {
    title: 'Throughput: requests/s, and µs of CPU of the whole machine for each',
    endpoints: [2],
    rows: Object.entries(loads).map(
      ([name, words]) => [words, [`${name}_per_s`, `${name}_cpu_us`]] as const,
    ),
    cell: (samples) => joined(samples, (value) => Math.round(value).toLocaleString('en')),
  },
  {
    title: 'Memory: what slab / vmalloc / per-CPU memory grew by; user space, MiB',
    endpoints: [2, 10],
    rows: [
      ['kernel', ['slab_kib', 'vmalloc_kib', 'percpu_kib']],
      ['user space', ['user_kib']],
    ],
    cell: (samples) => joined(samples, (value) => (value / 1024).toFixed(1)),
  },
];

/** What stands in place of a report as long as there are no results. */
export function unmeasured(rollout: string): string {
  return ['Not measured yet.', ...failedRequests(rollout)].join('\n\n');
}

/**
 * Markdown of all results, as a page begins with it: the first line says what it was measured on. `rollout` is the table of failed
 * requests, `plots` names the pictures.
 */
export function report(
  summary: Summary,
  { rollout, plots }: { rollout: string; plots: readonly { file: string; title: string }[] },
): string {
  return [
    summary.environments.join('\n\n'),
    ...fewRuns(summary),
    ...failedRuns(summary),
    ...failedRequests(rollout),
    '## Against iptables mode',
    'What is compared with what: [below](#how-the-modes-are-compared).',
    '### Where another mode is better',
    betterElsewhere(summary),
    '### Does iptables mode forward faster?',
    claim(summary),
    ...plots.map(({ file, title }) => `![${title}](${file})`),
    ...specs.flatMap((spec) => [`### ${spec.title}`, printTable(summary, spec)]),
  ].join('\n\n');
}

function failedRequests(rollout: string): readonly string[] {
  return [
    '## Before speed: failed requests in rolling updates',
    `From [graceful-termination.md](graceful-termination.md), where the conditions stand:\n\n${rollout}`,
  ];
}

function printTable(summary: Summary, { endpoints, rows, cell }: TableSpec): string {
  const { modes } = summary;
  const sizes = endpoints.flatMap((count) =>
    summary.services(count).map((services) => ({ services, endpoints: count })),
  );
  const lines = sizes.flatMap((size) =>
    rows.map(([words, measures]) => [
      `${size.services.toLocaleString('en')} × ${size.endpoints}`,
      words,
      ...modes.map((mode) =>
        cell(measures.flatMap((measure) => summary.sample({ mode, ...size }, measure) ?? [])),
      ),
      runsOf(modes.map((mode) => summary.runs({ mode, ...size }))),
    ]),
  );
  return table(['Services', '', ...modes, 'runs'], lines);
}

/** How many runs a median needs. */
const enoughRuns = 5;

/** A warning, if something was not measured often enough. */
function fewRuns(summary: Summary): readonly string[] {
  const places = [2, 10].flatMap((endpoints) =>
    summary
      .services(endpoints)
      .flatMap((services) => summary.modes.map((mode) => ({ mode, services, endpoints }))),
  );
  const isRare = places.some((place) => {
    const runs = summary.runs(place);
    return runs > 0 && runs < enoughRuns && !summary.isGivenUp(place);
  });
  return isRare ? [`**Not to be relied on: fewer than ${enoughRuns} runs in places.**`] : [];
}

/** Runs that ended early: their values up to there count. */
function failedRuns({ failures }: Summary): readonly string[] {
  const lines = failures.map(
    ({ mode, services, endpoints, run, measure }) =>
      `- ${mode}, ${services.toLocaleString('en')} × ${endpoints}, run ${run}: ${measure}`,
  );
  return lines.length === 0 ? [] : [`Runs that failed, and where:\n\n${lines.join('\n')}`];
}

/** `5`, or where modes differ `1–5`. */
function runsOf(counts: readonly number[]): string {
  const some = counts.filter((count) => count > 0);
  const least = Math.min(...some);
  const most = Math.max(...some);
  if (some.length === 0) return '';
  return least === most ? `${least}` : `${least}–${most}`;
}

function printRange(sample: Sample): string {
  if (sample.kind !== 'values') return outcomeWords[sample.kind];
  const { least, median, most } = sample;
  return `${printTime(median)} (${printTime(least)}–${printTime(most)})`;
}

const outcomeWords = { timeout: 'not in time', failed: 'failed' } as const;

function joined(samples: readonly Sample[], print: (value: number) => string): string {
  return samples
    .map((sample) => (sample.kind === 'values' ? print(sample.median) : outcomeWords[sample.kind]))
    .join(' / ');
}

/** What is compared: the sum of some measures. */
interface Comparison {
  readonly measures: readonly string[];
  readonly isMoreBetter: boolean;
}

/** Measures that are compared, and whether more of it is better. Not user space, where processes of different kinds stand. */
const compared: readonly (Comparison & { readonly words: string })[] = [
  { measures: ['program_wall_ms'], words: 'writing everything', isMoreBetter: false },
  { measures: ['program_cpu_ms'], words: 'CPU to write everything', isMoreBetter: false },
  { measures: ['add_wall_ms'], words: 'adding a Service', isMoreBetter: false },
  { measures: ['change_wall_ms'], words: 'changing an endpoint', isMoreBetter: false },
  ...(['first', 'middle', 'last'] as const).map((where) => ({
    measures: [`connect_${where}_p50_us`],
    words: `connecting to the ${where} Service`,
    isMoreBetter: false,
  })),
  ...Object.entries(loads).map(([name, words]) => ({
    measures: [`${name}_per_s`],
    words: `requests/s, ${words}`,
    isMoreBetter: true,
  })),
  {
    measures: ['slab_kib', 'vmalloc_kib', 'percpu_kib'],
    words: 'memory of the kernel',
    isMoreBetter: false,
  },
];

/** Differences below this share are not called one. */
const noticeable = 0.05;

/** How many times better another mode is than ours: above 1 is better. `undefined` where one was not measured. */
function advantage(
  summary: Summary,
  {
    mode,
    services,
    endpoints,
    measures,
    isMoreBetter,
  }: Comparison & { mode: ModeName; services: number; endpoints: number },
): number | undefined {
  const total = (of: ModeName) => {
    const values = measures.map((measure) =>
      summary.median({ mode: of, services, endpoints }, measure),
    );
    return values.reduce(
      (sum, value) => (sum === undefined || value === undefined ? undefined : sum + value),
      0,
    );
  };
  const ours = total('ipvs');
  const theirs = total(mode);
  if (ours === undefined || theirs === undefined || !(ours > 0 && theirs > 0)) return undefined;
  return isMoreBetter ? theirs / ours : ours / theirs;
}

/** Every measure and size at which another mode's median is better than ours, by more than a twentieth. */
function betterElsewhere(summary: Summary): string {
  const rivals = summary.modes.filter((mode) => mode !== 'ipvs' && mode !== 'none');
  const lines = rivals.flatMap((mode) =>
    compared.flatMap(({ words, ...comparison }) => {
      const found = [2, 10].flatMap((endpoints) =>
        summary.services(endpoints).flatMap((services) => {
          const times = advantage(summary, { mode, services, endpoints, ...comparison });
          if (times === undefined || times < 1 + noticeable) return [];
          return [`${services.toLocaleString('en')} × ${endpoints} (${times.toFixed(2)} ×)`];
        }),
      );
      return found.length === 0 ? [] : [`- **${mode}**, ${words}: ${found.join(', ')}`];
    }),
  );
  return lines.length === 0 ? 'Nowhere in these results.' : lines.join('\n');
}

/** The published comparisons that are looked at here, each with its source and year, and with what it was measured. */
const published = [
  'The documentation of UCloud’s UK8S ([kube-proxy modes](https://github.com/UCloudDoc-Team/uk8s/blob/master/userguide/kubeproxy_mode.md), December 2019; versions of Kubernetes and kernel are not given) says of short connections, 10,000 of them by `ab`, 1,000 at once, that iptables forwards faster at 100 and 500 Services, that both are about level at 1,000, and that IPVS leads more and more beyond.',
  '[Calico’s comparison](https://www.tigera.io/blog/comparing-kube-proxy-modes-iptables-or-ipvs/) (Tigera; no versions either) of 1,000 requests a second with 10 endpoints a Service saw no difference that matters up to 1,000 Services, and beyond that one for new connections only.',
].join(' ');

/** What these results say of what was published. */
function claim(summary: Summary): string {
  const rivals = (['iptables-nft', 'iptables-legacy'] as const).filter((mode) =>
    summary.modes.includes(mode),
  );
  const verdict = (times: number | undefined) => {
    if (times === undefined) return '';
    if (Math.abs(times - 1) < noticeable) return `level (${times.toFixed(2)} ×)`;
    return times > 1 ? `iptables (${times.toFixed(2)} ×)` : `IPVS (${(1 / times).toFixed(2)} ×)`;
  };
  const rows = summary.services(2).map((services) => [
    services.toLocaleString('en'),
    ...rivals.flatMap((mode) =>
      [
        { measures: ['connect_middle_p50_us'], isMoreBetter: false },
        { measures: ['crr_32_per_s'], isMoreBetter: true },
        { measures: ['rr_32_per_s'], isMoreBetter: true },
      ].map((what) => verdict(advantage(summary, { mode, services, endpoints: 2, ...what }))),
    ),
  ]);
  const head = rivals.flatMap((mode) => [
    `${mode}: connect p50`,
    'a connection each, 32',
    'kept, 32',
  ]);
  return `${published} Here the faster one is, to the Service in the middle:\n\n${table(['Services', ...head], rows)}`;
}
