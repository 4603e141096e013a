import type { ReflectorState } from '../../pkg/kube/api/reflector-state.ts';
import type { ScrapedMetric, ScrapedSample } from '../../pkg/metrics/scraped.ts';

/** A gauge of a reflector. */
interface Row {
  readonly name: string;
  readonly help: string;
  /** `undefined` if there is no value yet. */
  readonly valueOf: (state: ReflectorState) => number | undefined;
}

const rows: readonly Row[] = [
  {
    name: 'kubeproxy_ipvs_objects',
    help: 'Objects of the API that are known, by kind',
    valueOf: ({ objects }) => objects,
  },
  {
    name: 'kubeproxy_ipvs_watch_open',
    help: '1 while a watch of the kind stands; 0 while it is opened, and while the API server is away',
    valueOf: ({ isWatching }) => Number(isWatching),
  },
  {
    name: 'kubeproxy_ipvs_last_resource_version',
    help: 'resourceVersion of the newest object or bookmark that was seen, by kind',
    valueOf: ({ version }) => (/^\d+$/.test(version) ? Number(version) : undefined),
  },
  {
    name: 'kubeproxy_ipvs_last_event_timestamp_seconds',
    help: 'When the last list, event or bookmark of a kind came, in seconds since 1970',
    valueOf: ({ lastHeard }) => (lastHeard === undefined ? undefined : lastHeard / 1000),
  },
];

/** The state of the reflectors, read at each scrape. There is a series for each kind that is watched. */
export function reflectorMetrics(source: {
  readonly states: readonly ReflectorState[];
}): readonly ScrapedMetric[] {
  return rows.map(({ name, help, valueOf }) => ({
    type: 'gauge',
    name,
    help,
    labels: ['kind'],
    samples: async () =>
      source.states.flatMap((state): ScrapedSample[] => {
        const value = valueOf(state);
        return value === undefined ? [] : [{ labels: { kind: state.kind }, value }];
      }),
  }));
}
