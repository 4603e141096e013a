/** One kernel setting that is kept at a value. */
export interface Setting {
  /** Below `/proc/sys`. */
  readonly path: string;
  /** A function is called each time that the setting is checked; while it returns `undefined` the setting is left as it is. */
  readonly value: string | (() => string | undefined);
  /** Other values that are accepted as they are. */
  readonly accepts?: RegExp | undefined;
  /** The program starts even if it cannot be set. */
  readonly isOptional?: true;
  /** Kernels without the setting need none. */
  readonly isIfPresent?: true;
}
