import { parseDuration } from './duration.ts';

/** What the annotations of one Service ask for, as far as they can be understood. */
export interface ServiceWishes {
  /** How long its real servers may drain, in milliseconds; 0 for no limit, `undefined` if it does not say. */
  readonly drainTimeout: number | undefined;
  /** What is wrong, with the path of the annotation; such a one counts as not given. */
  readonly problems: readonly { readonly field: string; readonly message: string }[];
}

const prefix = 'ipvs.kube-proxy.io/';
const nothing: ServiceWishes = { drainTimeout: undefined, problems: [] };

/** Reads the annotations of a Service under `ipvs.kube-proxy.io/`, given without that prefix. */
export function serviceWishes(annotations: Readonly<Record<string, string>>): ServiceWishes {
  const text = annotations['drain-timeout'];
  if (text === undefined) return nothing;
  const drainTimeout = parseDuration(text);
  if (drainTimeout !== undefined && drainTimeout >= 0) return { drainTimeout, problems: [] };
  const field = `metadata.annotations[${prefix}drain-timeout]`;
  const message = `${JSON.stringify(text.slice(0, 80))} is not a duration such as 30s or 1h30m, or 0 for no limit`;
  return { drainTimeout: undefined, problems: [{ field, message }] };
}
