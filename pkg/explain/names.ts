import type { EndpointSlice, Node, ObjectName, PodPlace, Service } from '../kube/types.ts';
import type { DesiredLedger, LedgerOptions } from './ledger.ts';

/** Everything of the API that the state of a node follows from. */
export interface NodeObjects {
  /** This node's Node; `undefined` if there is none. */
  readonly node: Node | undefined;
  /** A Service by its key; `undefined` if there is none. */
  service(key: string): Service | undefined;
  /** The slices of a Service by its key. */
  slicesOf(key: string): readonly EndpointSlice[];
}

/** Where names of Kubernetes come from: the API, files, or a running proxy. All methods throw if it cannot be asked. */
export interface NameSource {
  /** For messages: `the API`. */
  readonly description: string;
  /** `undefined` if there is no such pod. Throws an ExplainError where pods are not known. */
  pod(name: ObjectName): Promise<PodPlace | undefined>;
  /** Read once. */
  objects(): Promise<NodeObjects>;
  /** What a proxier on a node wants for these objects. */
  ledger(node: LedgerOptions): Promise<DesiredLedger>;
}
