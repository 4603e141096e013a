import { type IpAddress, parseAddress } from '../ip/address.ts';
import { type Protocol, protocols } from '../ip/protocol.ts';
import { type StatusReport, statusKind, statusVersion } from './report.ts';

/** Returns a value if it has a form, or throws what is wrong with it. The path says where it is. */
type Form<T> = (value: unknown, path: string) => T;

type ValueOf<F> = F extends Form<infer T> ? T : never;

function wrong(path: string, expected: string): never {
  throw new Error(`the answer is not what it should be: ${path} is not ${expected}`);
}

const text: Form<string> = (value, path) =>
  typeof value === 'string' ? value : wrong(path, 'a text');
const flag: Form<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : wrong(path, 'true or false');
const number: Form<number> = (value, path) =>
  typeof value === 'number' && value >= 0 ? value : wrong(path, 'a number');
const time: Form<string> = (value, path) =>
  typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? value : wrong(path, 'a time');
const address: Form<IpAddress> = (value, path) =>
  (typeof value === 'string' ? parseAddress(value) : undefined) ?? wrong(path, 'an address');

function oneOf<const T extends string>(...words: readonly T[]): Form<T> {
  return (value, path) =>
    words.find((word) => word === value) ?? wrong(path, `one of ${words.join(', ')}`);
}

const protocol: Form<Protocol> = oneOf(...protocols);

function orNull<T>(form: Form<T>): Form<T | null> {
  return (value, path) => (value === null ? null : form(value, path));
}

function list<T>(form: Form<T>): Form<readonly T[]> {
  return (value, path) =>
    Array.isArray(value)
      ? value.map((one, index) => form(one, `${path}[${index}]`))
      : wrong(path, 'a list');
}

function record(value: unknown, path: string): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>) // whose values are checked one by one
    : wrong(path, 'an object');
}

/** Only the fields that are named are read. */
function object<const F extends Readonly<Record<string, Form<unknown>>>>(
  fields: F,
): Form<{ readonly [Name in keyof F]: ValueOf<F[Name]> }> {
  return (value, path) => {
    const given = record(value, path);
    const entries = Object.entries(fields).map(([name, form]) => [
      name,
      form(
        Object.hasOwn(given, name) ? given[name] : undefined,
        path === '' ? name : `${path}.${name}`,
      ),
    ]);
    return Object.fromEntries(entries) as { readonly [Name in keyof F]: ValueOf<F[Name]> }; // by the forms of its fields
  };
}

const counts: Form<Readonly<Record<string, number>>> = (value, path) =>
  Object.fromEntries(
    Object.entries(record(value, path)).map(([name, count]) => [
      name,
      number(count, `${path}.${name}`),
    ]),
  );

const failures = list(object({ object: text, error: text, since: time, nextAttempt: time }));
const connections = orNull(object({ active: number, inactive: number }));

const node = object({
  name: text,
  program: text,
  started: time,
  hasSynced: flag,
  counts: object({ services: number, failedServices: number, conflicts: number, draining: number }),
  syncs: list(
    object({
      time,
      kind: oneOf('first', 'changes', 'audit'),
      milliseconds: number,
      isSuccess: flag,
    }),
  ),
  minutes: list(
    object({
      time,
      syncs: number,
      failedSyncs: number,
      milliseconds: number,
      longest: number,
      repairs: counts,
      examples: list(text),
    }),
  ),
  failures,
  moreFailures: number,
});

const realServer = object({
  address,
  port: number,
  state: oneOf('serving', 'paused', 'draining', 'missing', 'unwanted'),
  weight: orNull(number),
  podUid: orNull(text),
  node: orNull(text),
  drain: orNull(
    object({
      cause: oneOf('endpoint', 'virtualServer', 'successor'),
      pod: oneOf('alive', 'dying', 'left', 'gone', 'unseen'),
      since: time,
      until: orNull(time),
      lastAnswer: orNull(time),
      ending: orNull(text),
      connections,
    }),
  ),
  connections,
});

const virtualServer = object({
  address,
  protocol,
  port: number,
  servicePort: orNull(object({ name: text, port: number })),
  addressKind: orNull(oneOf('clusterIP', 'nodePort', 'externalIP', 'loadBalancer')),
  state: oneOf('served', 'missing', 'unknown', 'lost', 'retired', 'leaving', 'unowned'),
  lostTo: orNull(text),
  scheduler: text,
  flags: list(text),
  affinitySeconds: number,
  realServers: list(realServer),
  moreRealServers: number,
});

const service = object({
  namespace: text,
  name: text,
  isDeleted: flag,
  unhonoured: list(object({ reason: text, field: text, value: text })),
  moreUnhonoured: number,
  failures,
  moreFailures: number,
  virtualServers: list(virtualServer),
  moreVirtualServers: number,
});

const version: Form<typeof statusVersion> = (value, path) =>
  value === statusVersion ? statusVersion : wrong(path, `${statusVersion}`);

const report: Form<StatusReport> = object({
  kind: oneOf(statusKind),
  version,
  time,
  node: orNull(node),
  services: list(service),
  continue: orNull(text),
  unreadVirtualServers: number,
});

/** The report that an answer is. Throws what is wrong with it; fields that are not known are left out. */
export function checkReport(answer: unknown): StatusReport {
  return report(answer, '');
}
