import type { Clock } from '../../runner/clock.ts';
import type { ProgressBoard } from '../../runner/progress.ts';
import type { KubeLog, KubeMetrics } from '../metrics.ts';
import { foreignLabels } from '../objects/names.ts';
import { Reducer } from '../objects/reduce.ts';
import type { Change, Kind, Source } from '../types.ts';
import type { Client } from './client.ts';
import { FirstReads } from './first-reads.ts';
import type { Selection } from './kind-client.ts';
import { Reflector } from './reflector.ts';
import type { ReflectorState } from './reflector-state.ts';
import { StreamingSupport } from './streaming.ts';

export interface ApiSourceOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly metrics: KubeMetrics;
  readonly log: KubeLog;
  /** The one Node that is watched. */
  readonly nodeName: string;
  /** Where the first read of each kind shows how far it has come. */
  readonly progress?: ProgressBoard | undefined;
  /** Returns a number from 0 up to 1; Math.random except in tests. */
  readonly random?: () => number;
}

const labelSelector = foreignLabels.map((label) => `!${label}`).join(',');

/** Reads objects from the API server: the Services and EndpointSlices that are ours, and our Node. */
export class ApiSource implements Source {
  readonly #options: ApiSourceOptions;
  readonly #reading: FirstReads;
  readonly #reflectors = new Map<Kind, Reflector>();

  constructor(options: ApiSourceOptions) {
    this.#options = options;
    this.#reading = new FirstReads(options.progress);
  }

  async run(onChange: (change: Change) => void, signal: AbortSignal): Promise<void> {
    const { clock, nodeName } = this.#options;
    const streaming = new StreamingSupport(clock);
    const reducer = new Reducer();
    const parts = { streaming, reducer, onChange };
    for (const what of watched(nodeName))
      this.#reflectors.set(what.kind, this.#reflector(what, parts));
    await Promise.all([...this.#reflectors.values()].map((reflector) => reflector.run(signal)));
    this.#reading.end();
  }

  /** How far it has come with each kind. */
  get states(): readonly ReflectorState[] {
    return [...this.#reflectors.values()].map(({ state }) => state);
  }

  confirm(kind: Kind): void {
    this.#reflectors.get(kind)?.confirm();
  }

  #reflector(
    what: Selection,
    {
      streaming,
      reducer,
      onChange,
    }: { streaming: StreamingSupport; reducer: Reducer; onChange: (change: Change) => void },
  ): Reflector {
    const { client, clock, metrics, log, random = Math.random } = this.#options;
    const { kind } = what;
    const reading = this.#reading.of(kind, () => this.#reflectors.get(kind)?.state.objects ?? 0);
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
        set(raw) {
          reading.begin();
          onChange(reducer.change(kind, raw));
        },
        delete: (name) => onChange({ type: 'delete', kind, name }),
        synced() {
          reading.end();
          onChange({ type: 'synced', kind });
        },
        confirmed: () => onChange({ type: 'confirmed', kind }),
      },
    });
  }
}

function watched(nodeName: string): Selection[] {
  return [
    {
      kind: 'Service',
      path: '/api/v1/services',
      labelSelector,
      // Headless Services are ignored anyway. The selector only keeps them from being sent.
      fieldSelector: 'spec.clusterIP!=None',
      isFieldSelectorOptional: true,
    },
    { kind: 'EndpointSlice', path: '/apis/discovery.k8s.io/v1/endpointslices', labelSelector },
    { kind: 'Node', path: '/api/v1/nodes', fieldSelector: `metadata.name=${nodeName}` },
  ];
}
