import type { Clock } from '../runner/clock.ts';
import type { Client } from './client.ts';
import type { KubeLog, KubeMetrics } from './metrics.ts';
import { foreignLabels, Reducer } from './reduce.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import { StreamingSupport } from './streaming.ts';
import type { Change, Source } from './types.ts';

/** What the API source needs to work. */
export interface ApiSourceOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly metrics: KubeMetrics;
  readonly log: KubeLog;
  /** The one Node that is watched. */
  readonly nodeName: string;
  /** From 0 up to 1; Math.random but in tests. */
  readonly random?: () => number;
}

type Watched = Pick<
  ReflectorOptions,
  'kind' | 'path' | 'labelSelector' | 'fieldSelector' | 'isFieldSelectorOptional'
>;

const labelSelector = foreignLabels.map((label) => `!${label}`).join(',');

/** The objects of the API server: Services and EndpointSlices that are ours, and our Node. */
export class ApiSource implements Source {
  readonly #options: ApiSourceOptions;

  constructor(options: ApiSourceOptions) {
    this.#options = options;
  }

  async run(onChange: (change: Change) => void, signal: AbortSignal): Promise<void> {
    const { clock, nodeName } = this.#options;
    const streaming = new StreamingSupport(clock);
    const reducer = new Reducer();
    const reflectors = watched(nodeName).map((what) =>
      this.#reflector(what, { streaming, reducer, onChange }),
    );
    await Promise.all(reflectors.map((reflector) => reflector.run(signal)));
  }

  #reflector(
    what: Watched,
    {
      streaming,
      reducer,
      onChange,
    }: { streaming: StreamingSupport; reducer: Reducer; onChange: (change: Change) => void },
  ): Reflector {
    const { client, clock, metrics, log, random = Math.random } = this.#options;
    const { kind } = what;
    return new Reflector({
      ...what,
      client,
      clock,
      metrics,
      log,
      random,
      streaming,
      onCurrent: (isCurrent) => onChange({ type: isCurrent ? 'current' : 'stale', kind }),
      handler: {
        set: (raw) => onChange(reducer.change(kind, raw)),
        delete: (name) => onChange({ type: 'delete', kind, name }),
        synced: () => onChange({ type: 'synced', kind }),
        malformed: (message) => log.error(`the API sent ${message} while following every ${kind}`),
      },
    });
  }
}

function watched(nodeName: string): Watched[] {
  return [
    {
      kind: 'Service',
      path: '/api/v1/services',
      labelSelector,
      // Headless Services come to nothing here: this only spares them the way.
      fieldSelector: 'spec.clusterIP!=None',
      isFieldSelectorOptional: true,
    },
    { kind: 'EndpointSlice', path: '/apis/discovery.k8s.io/v1/endpointslices', labelSelector },
    { kind: 'Node', path: '/api/v1/nodes', fieldSelector: `metadata.name=${nodeName}` },
  ];
}
