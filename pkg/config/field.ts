import type { ValueType } from './value-types.ts';

/** One thing that is wrong with a value. */
export interface Problem {
  readonly message: string;
  /** Which item of a list, and what it is. */
  readonly item?: { readonly index: number; readonly value: string };
}

/** Whether an option does here what it does in upstream's kube-proxy. */
export type Support =
  /** It does what its help says. */
  | { readonly kind: 'full' }
  /** It is accepted and checked, and will never do anything: there is nothing here that it could change. */
  | { readonly kind: 'none'; readonly reason: string };

/** The heading under which an option stands in the help and the reference. */
export type Group =
  | 'Configuration and questions'
  | 'Kubernetes API'
  | 'Proxy'
  | 'IPVS'
  | "Telling the node's own pods"
  | 'Health and metrics'
  | 'Node and conntrack'
  | 'Logging'
  | 'Other modes'
  | 'Leftovers of older releases';

/** One option: a flag, a field of the file, or both. Everything that the program knows of it stands here. */
export interface Field<Value> {
  readonly type: ValueType<Value>;
  readonly default: Value;
  readonly group: Group;
  readonly help: string;
  /** The name of its flag, without dashes. */
  readonly flag?: string;
  /** One letter that may stand for the flag's name. */
  readonly shorthand?: string;
  /** In a file, the type's zero value (`""`, 0, `0s`) means the default, as upstream reads it. */
  readonly zeroIsDefault?: true;
  /** The flag counts beside `--config` too. All others are ignored there, as upstream ignores them. */
  readonly countsBesideFile?: true;
  readonly support: Support;
  /** What to use in its place; the program says so when the flag is given. */
  readonly deprecated?: string;
  /** What is wrong with a value, `[]` if nothing is. Called for valid types only. */
  readonly check?: (value: Value) => readonly Problem[];
}

/** A row of a table of fields as it is written: its default is its type's zero value, and its support full, unless it says otherwise. */
export type Row<Value> = Omit<Field<Value>, 'type' | 'default' | 'support'> &
  Partial<Pick<Field<Value>, 'default' | 'support'>>;

/** An option of a type. */
export function field<Value>(type: ValueType<Value>, row: Row<Value>): Field<Value> {
  return { default: type.zero, support: { kind: 'full' }, ...row, type };
}

/** The support of an option that changes nothing here. */
export function noEffect(reason: string): Support {
  return { kind: 'none', reason };
}
