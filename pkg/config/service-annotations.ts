import { parseDuration } from './duration.ts';

/** What the annotations of one Service ask for, as far as they can be understood. */
export interface ServiceOptions {
  /** How long its real servers may drain, in milliseconds; 0 for no limit, `undefined` if it does not say. */
  readonly drainTimeout: number | undefined;
  /** Whoever has an address is the same pod, whatever its uid. */
  readonly keepsSessionsByAddress: boolean;
  /** What is wrong, with the path of the annotation; such a one counts as not given. */
  readonly problems: readonly { readonly field: string; readonly message: string }[];
}

const prefix = 'ipvs.kube-proxy.io/';

/** Reads the annotations of a Service under `ipvs.kube-proxy.io/`, given without that prefix. */
export function parseServiceAnnotations(
  annotations: Readonly<Record<string, string>>,
): ServiceOptions {
  const problems: { field: string; message: string }[] = [];
  /** A text that says nothing known is a problem, and counts as not given. */
  function read<T>(
    name: string,
    { meaning, expected }: { meaning: (text: string) => T | undefined; expected: string },
  ): T | undefined {
    const text = annotations[name];
    const value = text === undefined ? undefined : meaning(text);
    if (text === undefined || value !== undefined) return value;
    const field = `metadata.annotations[${prefix}${name}]`;
    problems.push({ field, message: `${JSON.stringify(text.slice(0, 80))} is not ${expected}` });
    return undefined;
  }
  const drainTimeout = read('drain-timeout', {
    meaning: notNegative,
    expected: 'a duration such as 30s or 1h30m, or 0 for no limit',
  });
  const identity = read('pod-identity', {
    meaning: (text) => identities.find((known) => known === text),
    expected: identities.join(' or '),
  });
  return { drainTimeout, keepsSessionsByAddress: identity === 'address', problems };
}

/** By what a pod is known when another endpoint has its address. */
const identities = ['uid', 'address'] as const;

function notNegative(text: string): number | undefined {
  const duration = parseDuration(text);
  return duration === undefined || duration < 0 ? undefined : duration;
}
