import type { IpvsConnections } from '../../../pkg/connections/connections.ts';
import type { Conntrack, Flow } from '../../../pkg/conntrack/conntrack.ts';
import { type Failure, KernelError } from '../../../pkg/errno/errno.ts';
import type { Firewall } from '../../../pkg/firewall/firewall.ts';
import type { IpSets } from '../../../pkg/ipset/ipset.ts';
import type { Ipvs } from '../../../pkg/ipvs/ipvs.ts';
import type { Links } from '../../../pkg/links/links.ts';
import type { Neighbours } from '../../../pkg/neighbours/neighbours.ts';
import type { Resetter } from '../../../pkg/reset/reset.ts';
import type { Routes } from '../../../pkg/routes/routes.ts';
import type { Sysctl } from '../../../pkg/sysctl/sysctl.ts';
import type { Fault, FaultSource } from './fault.ts';

/** The kernel as the program sees it. */
export interface KernelInterfaces {
  readonly ipvs: Ipvs;
  readonly connections: IpvsConnections;
  readonly ipsets: IpSets;
  readonly links: Links;
  readonly routes: Routes;
  readonly firewall: Firewall;
  readonly conntrack: Conntrack;
  readonly neighbours: Neighbours;
  readonly resetter: Resetter;
  readonly sysctl: Sysctl;
}

/**
 * How a method reports that it failed:
 *
 * - `throws`, `rejects`: as it says;
 * - `batch`: its writes fail one by one, and come back by index;
 * - `flows`: all flows are tried, then the first failure is thrown;
 * - `never`: no faults here, the program ends if it fails.
 */
type FailureMode = 'throws' | 'rejects' | 'batch' | 'flows' | 'never';

/** Every method of every interface: the compiler finds the one that is missing. */
const methods: { readonly [Name in keyof KernelInterfaces]: Modes<KernelInterfaces[Name]> } = {
  ipvs: {
    write: 'batch',
    virtualServers: 'rejects',
    virtualServer: 'throws',
    realServers: 'rejects',
    info: 'throws',
    timeouts: 'throws',
    setTimeouts: 'throws',
  },
  connections: { dump: 'rejects' },
  ipsets: {
    protocol: 'throws',
    create: 'throws',
    destroy: 'throws',
    swap: 'throws',
    write: 'batch',
    sets: 'rejects',
    entries: 'rejects',
  },
  links: {
    ensureDummy: 'throws',
    hasLink: 'throws',
    isDummy: 'throws',
    deleteLink: 'throws',
    addresses: 'rejects',
    names: 'rejects',
    write: 'batch',
    watch: 'never',
  },
  routes: { routes: 'rejects', write: 'batch' },
  firewall: { capabilities: 'rejects', apply: 'rejects', check: 'rejects', remove: 'rejects' },
  conntrack: { dump: 'rejects', delete: 'flows', add: 'batch' },
  neighbours: { canReach: 'throws', isLocal: 'throws', route: 'throws' },
  resetter: { challenge: 'throws', abort: 'throws' },
  sysctl: { read: 'throws', write: 'throws', kernelRelease: 'never' },
};

type Modes<Interface> = {
  readonly [Name in keyof Interface as Interface[Name] extends (...values: never[]) => unknown
    ? Name
    : never]: FailureMode;
};

/** A kernel whose calls fail as a source of faults chooses; everything else is done by the kernel that it is made of. */
export function faultyKernel(kernel: KernelInterfaces, faults: FaultSource): KernelInterfaces {
  const wrap = <Name extends keyof KernelInterfaces>(name: Name) =>
    faulty(kernel[name], { name, modes: methods[name], faults });
  return {
    ipvs: wrap('ipvs'),
    connections: wrap('connections'),
    ipsets: wrap('ipsets'),
    links: wrap('links'),
    routes: wrap('routes'),
    firewall: wrap('firewall'),
    conntrack: wrap('conntrack'),
    neighbours: wrap('neighbours'),
    resetter: wrap('resetter'),
    sysctl: wrap('sysctl'),
  };
}

/** Every call that can fail, by the names that a source of faults is asked with. */
export function fallibleCalls(): readonly string[] {
  return Object.entries(methods).flatMap(([name, modes]) =>
    Object.entries(modes)
      .filter(([, mode]) => mode !== 'never')
      .map(([method]) => `${name}.${method}`),
  );
}

interface Wrapping<Interface> {
  readonly name: string;
  readonly modes: Modes<Interface>;
  readonly faults: FaultSource;
}

type Method = (...values: readonly unknown[]) => unknown;

function faulty<Interface extends object>(
  target: Interface,
  { name, modes, faults }: Wrapping<Interface>,
): Interface {
  return new Proxy(target, {
    get(object, property) {
      const value: unknown = Reflect.get(object, property, object);
      const mode = new Map<PropertyKey, FailureMode>(Object.entries(modes)).get(property);
      if (typeof value !== 'function' || mode === undefined || mode === 'never')
        return typeof value === 'function' ? value.bind(object) : value;
      const method: Method = (...values) => Reflect.apply(value, object, values);
      const call = { name: `${name}.${String(property)}`, method, faults };
      return (...values: readonly unknown[]) => callWith[mode](call, values);
    },
  });
}

interface FaultyCall {
  readonly name: string;
  readonly method: Method;
  readonly faults: FaultSource;
}

const callWith: Readonly<
  Record<Exclude<FailureMode, 'never'>, (call: FaultyCall, values: readonly unknown[]) => unknown>
> = {
  throws({ name, method, faults }, values) {
    const fault = faults({ name, arguments: values, isWholeBatch: false });
    if (fault === undefined) return method(...values);
    if (fault.isDone) method(...values);
    throw errorOf(name, fault);
  },
  async rejects({ name, method, faults }, values) {
    const fault = faults({ name, arguments: values, isWholeBatch: false });
    if (fault === undefined) return await method(...values);
    if (fault.isDone) await method(...values);
    throw errorOf(name, fault);
  },
  batch: callBatch,
  flows({ name, method, faults }, [flows]) {
    // The cast holds for conntrack.delete, the only method that fails like this.
    const drawn = (flows as readonly Flow[]).map((flow) => ({
      flow,
      fault: faults({ name, arguments: [flow], isWholeBatch: false }),
    }));
    const done = drawn.filter(({ fault }) => fault === undefined || fault.isDone);
    const count = method(done.map(({ flow }) => flow));
    const failed = drawn.find(({ fault }) => fault !== undefined)?.fault;
    if (failed !== undefined) throw errorOf(name, failed);
    return count;
  },
};

/** A whole batch fails with one code, or each write with its own. */
function callBatch(
  { name, method, faults }: FaultyCall,
  [writes, ...rest]: readonly unknown[],
): readonly Failure[] {
  // The casts hold because a method of this mode takes a batch and gives failures back.
  const batch = writes as readonly unknown[];
  const whole = faults({ name, arguments: [batch, ...rest], isWholeBatch: true });
  const drawn = batch.map(
    (write) => whole ?? faults({ name, arguments: [write], isWholeBatch: false }),
  );
  const done = [...batch.keys()].filter((index) => drawn[index]?.isDone !== false);
  const failures = method(
    done.map((index) => batch[index]),
    ...rest,
  ) as readonly Failure[];
  if (whole?.isThrown === true) throw errorOf(name, whole);
  const real = failures.map(({ index, error }) => ({ index: done[index] ?? 0, error }));
  const injected = drawn.flatMap((fault, index) =>
    fault === undefined ? [] : [{ index, error: errorOf(describe(name, batch[index]), fault) }],
  );
  const hidden = new Set(injected.map(({ index }) => index));
  return [...injected, ...real.filter(({ index }) => !hidden.has(index))].sort(
    (one, other) => one.index - other.index,
  );
}

function errorOf(operation: string, { code }: Fault): KernelError {
  return new KernelError(operation, code, { detail: 'injected' });
}

/** What was tried on what, as the errors of the real interfaces say: one text for each object. */
function describe(name: string, write: unknown): string {
  const text = JSON.stringify(write, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  return `${name} ${text}`;
}
