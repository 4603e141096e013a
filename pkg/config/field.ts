import type { ValueType } from './value-types.ts';

/** One problem of a value. */
export interface Problem {
  readonly message: string;
  /** The invalid item of a list. */
  readonly item?: { readonly index: number; readonly value: string };
}

/** Whether an option has the same effect as in upstream's kube-proxy. */
export type Support =
  /** It has the effect that its help describes. */
  | { readonly kind: 'full' }
  /** It is accepted and validated, and has no effect, as there is nothing that it could change. */
  | { readonly kind: 'none'; readonly reason: string };

/** The heading of an option in the help and the reference. */
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

/** One option: a flag, a field of the file, or both. All properties of an option are here. */
export interface Field<Value> {
  readonly type: ValueType<Value>;
  readonly default: Value;
  readonly group: Group;
  readonly help: string;
  /** The name of its flag, without dashes. */
  readonly flag?: string;
  /** A letter for the flag. */
  readonly shorthand?: string;
  /** In a file, the zero value of the type (`""`, 0, `0s`) means the default, as in upstream. */
  readonly zeroIsDefault?: true;
  /** The flag counts beside `--config` too. All others are ignored then, as in upstream. */
  readonly countsBesideFile?: true;
  readonly support: Support;
  /** The replacement, which is logged if the flag is given. */
  readonly deprecated?: string;
  /** The problems of a value; none if it is valid. Called for values of the right type only. */
  readonly check?: (value: Value) => readonly Problem[];
}

/** A row of a table of fields. By default its default is the zero value of its type, and its support is full. */
export type Row<Value> = Omit<Field<Value>, 'type' | 'default' | 'support'> &
  Partial<Pick<Field<Value>, 'default' | 'support'>>;

/** Makes an option from its type and row. */
export function field<Value>(type: ValueType<Value>, row: Row<Value>): Field<Value> {
  return { default: type.zero, support: { kind: 'full' }, ...row, type };
}

/** The support of an option without effect. */
export function noEffect(reason: string): Support {
  return { kind: 'none', reason };
}
