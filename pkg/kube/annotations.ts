import { parseDuration } from '../runner/duration.ts';
import type { Problem } from './types.ts';

/** The options that the annotations of a Service set. */
export interface ServiceOptions {
  /** How long its real servers may drain, in milliseconds; 0 for no limit, `undefined` for the configured limit. */
  readonly drainTimeout?: number | undefined;
  /** Its scheduler; `undefined` for the one that is configured. */
  readonly scheduler?: string | undefined;
  /** Whether `sh` and `mh` hash the client's port too; `undefined` for the scheduler's default. */
  readonly hashesSourcePort?: boolean | undefined;
  /** How many connections a real server may have before it gets no new ones; `undefined` or 0 for no limit. */
  readonly connectionLimit?: number | undefined;
  /** Whether a pod is identified by its address, whatever its uid: sessions go on when a virtual machine moves with its address. */
  readonly keepsSessionsByAddress?: boolean | undefined;
  /** Invalid annotations, by path. They are ignored. */
  readonly problems: readonly Problem[];
}

/** The options of a Service without annotations. */
export const noOptions: ServiceOptions = { problems: [] };

/** What annotations are validated against. */
export interface AnnotationContext {
  /** The scheduler of Services that name none. */
  readonly scheduler: string;
  /** Whether the kernel has a scheduler or can load it. */
  readonly hasScheduler: (scheduler: string) => boolean;
}

const prefix = 'ipvs.kube-proxy.io/';

/**
 * The schedulers that a Service may choose: those of the kernel. It is a fixed list because asking the kernel for a scheduler makes
 * it search for a module of that name.
 */
export const knownSchedulers: readonly string[] = [
  ...['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'dh'],
  ...['sh', 'sed', 'nq', 'fo', 'ovf', 'mh', 'twos'],
];

/** The flags of the schedulers that hash clients, as ipvsadm names them. */
const flagNames = {
  sh: { fallback: ['sh-fallback', 'flag-1'], port: ['sh-port', 'flag-2'] },
  mh: { fallback: ['mh-fallback', 'flag-1'], port: ['mh-port', 'flag-2'] },
};

/** The kernel keeps a limit in 32 bits and compares it with a signed number. */
const highestLimit = 2 ** 31 - 1;

/** Reads the annotations of a Service, given without the prefix `ipvs.kube-proxy.io/`. */
export function parseServiceAnnotations(
  annotations: Readonly<Record<string, string>>,
  context: AnnotationContext,
): ServiceOptions {
  const reader = new AnnotationReader(annotations);
  const drainTimeout = reader.read('drain-timeout', {
    meaning: notNegative,
    expected: 'a duration such as 30s or 1h30m, or 0 for no limit',
  });
  const identity = reader.read('pod-identity', {
    meaning: (text) => identities.find((known) => known === text),
    expected: identities.join(' or '),
  });
  const connectionLimit = reader.read('connection-limit', {
    meaning: toLimit,
    expected: `a number of connections from 1 to ${highestLimit}, or 0 for no limit`,
  });
  const scheduler = readScheduler(reader, context);
  return {
    drainTimeout,
    scheduler,
    hashesSourcePort: readFlags(reader, scheduler ?? context.scheduler),
    connectionLimit,
    keepsSessionsByAddress: identity === 'address',
    problems: reader.problems,
  };
}

/** How an annotation is read: the function that returns its value, `undefined` if it is invalid, and what is expected. */
interface Reading<T> {
  readonly meaning: (text: string) => T | undefined;
  readonly expected: string;
}

/** Reads annotations one by one. An invalid one becomes a problem and is ignored. */
class AnnotationReader {
  readonly problems: Problem[] = [];
  readonly #annotations: Readonly<Record<string, string>>;

  constructor(annotations: Readonly<Record<string, string>>) {
    this.#annotations = annotations;
  }

  read<T>(name: string, { meaning, expected }: Reading<T>): T | undefined {
    const text = this.#annotations[name];
    const value = text === undefined ? undefined : meaning(text);
    if (text === undefined || value !== undefined) return value;
    const field = `metadata.annotations[${prefix}${name}]`;
    const message = `${JSON.stringify(text.slice(0, 80))} is not ${expected}`;
    this.problems.push({ field, message });
    return undefined;
  }
}

function readScheduler(
  reader: AnnotationReader,
  { hasScheduler }: AnnotationContext,
): string | undefined {
  const known = reader.read('scheduler', {
    meaning: (text) => knownSchedulers.find((one) => one === text),
    expected: `one of ${knownSchedulers.join(', ')}`,
  });
  if (known === undefined || hasScheduler(known)) return known;
  return reader.read('scheduler', {
    meaning: () => undefined,
    expected: `a scheduler that this node's kernel has: it lacks the module ip_vs_${known}`,
  });
}

/** Only the flag for the port is a choice: the fallback is always set. */
function readFlags(reader: AnnotationReader, scheduler: string): boolean | undefined {
  const names = scheduler === 'sh' || scheduler === 'mh' ? flagNames[scheduler] : undefined;
  if (names === undefined)
    return reader.read('scheduler-flags', {
      meaning: (text) => (text === '' ? false : undefined),
      expected: `empty, as it is for scheduler ${scheduler}: only sh and mh have flags`,
    });
  const { fallback, port } = names;
  return reader.read('scheduler-flags', {
    meaning(text) {
      const flags = text === '' ? [] : text.split(',').map((flag) => flag.trim());
      const isKnown = flags.every((flag) => fallback.includes(flag) || port.includes(flag));
      return isKnown ? flags.some((flag) => port.includes(flag)) : undefined;
    },
    expected: `a list of flags of scheduler ${scheduler}: ${[...fallback, ...port].join(', ')}`,
  });
}

/** How a pod is identified when another endpoint has its address. */
const identities = ['uid', 'address'] as const;

function notNegative(text: string): number | undefined {
  const duration = parseDuration(text);
  return duration === undefined || duration < 0 ? undefined : duration;
}

function toLimit(text: string): number | undefined {
  const limit = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return limit <= highestLimit ? limit : undefined;
}
