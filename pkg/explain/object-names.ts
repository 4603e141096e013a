import { objectKey } from '../kube/object-key.ts';
import type {
  Change,
  EndpointSlice,
  Kind,
  Node,
  ObjectName,
  PodPlace,
  Service,
  Source,
} from '../kube/types.ts';
import type { Clock } from '../runner/clock.ts';
import { ExplainError } from './explain-error.ts';
import type { DesiredLedger, LedgerOptions } from './ledger.ts';
import { ListedObjects } from './listed-objects.ts';
import type { NameSource } from './names.ts';

/** How names are read. */
export interface ObjectNamesOptions {
  readonly source: Pick<Source, 'run'>;
  /** Reads one pod; `undefined` where pods are not known. Its result is `undefined` if there is no such pod. */
  readonly readPod: ((name: ObjectName) => Promise<PodPlace | undefined>) | undefined;
  readonly description: string;
  readonly clock: Clock;
  /** How long the objects may take, in milliseconds. */
  readonly patience: number;
}

const kinds: readonly Kind[] = ['Service', 'EndpointSlice', 'Node'];

/** Names from the objects of a source, which is read once, when somebody asks. */
export class ObjectNames implements NameSource {
  readonly description: string;
  readonly #options: ObjectNamesOptions;
  #objects: Promise<ListedObjects> | undefined;

  constructor(options: ObjectNamesOptions) {
    this.#options = options;
    this.description = options.description;
  }

  async pod(name: ObjectName): Promise<PodPlace | undefined> {
    const { readPod } = this.#options;
    if (readPod === undefined)
      throw new ExplainError(`${this.description} has no pods: ask with the address of the pod`);
    return readPod(name);
  }

  objects(): Promise<ListedObjects> {
    this.#objects ??= this.#read();
    return this.#objects;
  }

  async ledger(node: LedgerOptions): Promise<DesiredLedger> {
    return await (await this.objects()).ledger(node);
  }

  async #read(): Promise<ListedObjects> {
    const { source, clock, patience } = this.#options;
    const objects = new CollectedObjects();
    const controller = new AbortController();
    const cancel = clock.after(patience, () => controller.abort());
    try {
      await source.run((change) => {
        objects.take(change);
        if (objects.isComplete) controller.abort();
      }, controller.signal);
    } finally {
      cancel();
    }
    if (!objects.isComplete) throw new ExplainError(`not read within ${patience / 1000} s`);
    return objects.values;
  }
}

/** The objects of a source until each kind has been reported completely. */
class CollectedObjects {
  readonly #services = new Map<string, Service>();
  readonly #slices = new Map<string, EndpointSlice>();
  readonly #synced = new Set<Kind>();
  #node: Node | undefined;

  get isComplete(): boolean {
    return kinds.every((kind) => this.#synced.has(kind));
  }

  get values(): ListedObjects {
    return new ListedObjects({
      services: [...this.#services.values()],
      slices: [...this.#slices.values()],
      node: this.#node,
    });
  }

  take(change: Change): void {
    if (change.type === 'synced') this.#synced.add(change.kind);
    else if (change.type === 'delete') this.#delete(change.kind, change.name);
    else if (change.type !== 'set') return;
    else if (change.kind === 'Node') this.#node = change.object;
    else if (change.kind === 'Service') this.#services.set(objectKey(change.object), change.object);
    else this.#slices.set(objectKey(change.object), change.object);
  }

  #delete(kind: Kind, name: ObjectName): void {
    if (kind === 'Node') this.#node = undefined;
    else if (kind === 'Service') this.#services.delete(objectKey(name));
    else this.#slices.delete(objectKey(name));
  }
}
