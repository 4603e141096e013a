import type { NodeParts, Unread } from './node-parts.ts';
import type { DumpedObjects } from './object-forms.ts';

/** The version of the format: a field that changes its meaning or goes raises it. */
export const dumpVersion = 'ipvs.kube-proxy.io/v1';
/** The kind by which a file is known as a dump. */
export const dumpKind = 'NodeDump';

/** The programs that made a dump. */
export interface DumpedVersions {
  readonly program: string;
  readonly runtime: string;
}

/** A node as one file has it. */
export interface NodeDump {
  /** The name of its Node. */
  readonly nodeName: string;
  /** When it was made, in milliseconds since 1970. */
  readonly taken: number;
  readonly isAnonymous: boolean;
  readonly versions: DumpedVersions;
  /** The configuration as a `KubeProxyConfiguration`. */
  readonly configuration: Readonly<Record<string, unknown>>;
  /** `undefined` if they could not be read. */
  readonly objects: DumpedObjects | undefined;
  readonly node: Partial<NodeParts>;
  /** What the running proxy's `/metrics` says, by line; `undefined` if it could not be read. */
  readonly metrics: readonly string[] | undefined;
  /** The last lines of the running proxy's log; `undefined` if they could not be read. */
  readonly log: readonly string[] | undefined;
  /** What could not be read. */
  readonly unread: readonly Unread[];
}
