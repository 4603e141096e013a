import { isExists, isNotFound } from '../errno/errno.ts';
import { type IpAddress, parseAddress } from '../ip/address.ts';
import type { Ipvs, VirtualServer, VirtualServerStatus } from './ipvs.ts';

/** What the start-up probe needs besides IPVS. */
export interface ProbeOptions {
  readonly scheduler: string;
  /** Returns the highest ipset protocol version of the kernel (IPSET_CMD_PROTOCOL). Throws if ipset is missing. */
  readonly ipsetProtocol: () => number;
}

const leastIpsetProtocol = 6;

/** 198.51.100.0 is from a network for documentation (RFC 5737), so nobody uses it. */
const probeId = {
  address: parseAddress('198.51.100.0') as IpAddress, // a valid literal
  protocol: 'TCP',
  port: 20_000,
} as const;

/**
 * Checks whether Services can work on this node: ipset exists, and IPVS accepts a virtual server with the configured scheduler.
 * Throws an error that begins with `can't use the IPVS proxier: `.
 */
export async function probeIpvs(ipvs: Ipvs, options: ProbeOptions): Promise<void> {
  try {
    checkIpset(options.ipsetProtocol());
    const virtualServers = await ipvs.virtualServers();
    if (virtualServers.some(({ scheduler }) => scheduler === options.scheduler)) return;
    await tryScheduler(ipvs, options.scheduler);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`can't use the IPVS proxier: ${reason}`, { cause: error });
  }
}

/** After how long a missing scheduler is probed again, in milliseconds. */
const lackingFor = 60_000;

/** Finds out which schedulers the kernel has. Each is probed once, as the kernel may run a program to load its module. */
export class Schedulers {
  readonly #ipvs: Pick<Ipvs, 'write'>;
  readonly #now: () => number;
  readonly #present = new Set<string>();
  /** The missing schedulers, and when they were probed. */
  readonly #lacking = new Map<string, number>();

  constructor(ipvs: Pick<Ipvs, 'write'>, now: () => number) {
    this.#ipvs = ipvs;
    this.#now = now;
  }

  /**
   * Whether the kernel has a scheduler or can load it: adds a virtual server with it and deletes that again. Must not be called
   * during a dump, as it writes. Throws if the kernel refuses for another reason.
   */
  has(scheduler: string): boolean {
    if (this.#present.has(scheduler)) return true;
    const asked = this.#lacking.get(scheduler);
    if (asked !== undefined && this.#now() - asked < lackingFor) return false;
    const error = addProbe(this.#ipvs, scheduler);
    if (isNotFound(error)) {
      this.#lacking.set(scheduler, this.#now());
      return false;
    }
    if (error !== undefined) throw error;
    deleteProbe(this.#ipvs);
    this.#present.add(scheduler);
    return true;
  }
}

function isProbe({
  address,
  protocol,
  port,
}: Pick<VirtualServerStatus, 'address' | 'protocol' | 'port'>): boolean {
  return address === probeId.address && protocol === probeId.protocol && port === probeId.port;
}

function checkIpset(protocol: number): void {
  if (protocol >= leastIpsetProtocol) return;
  throw new Error(
    `ipset protocol ${protocol} is older than ${leastIpsetProtocol}, the oldest that will do`,
  );
}

async function tryScheduler(ipvs: Ipvs, scheduler: string): Promise<void> {
  const error = addProbe(ipvs, scheduler);
  if (isNotFound(error)) {
    const message = `the kernel has no scheduler ${scheduler}: load the module ip_vs_${scheduler}`;
    throw new Error(message, { cause: error });
  }
  if (error !== undefined) throw error;
  const isThere = (await ipvs.virtualServers()).some(isProbe);
  const left = deleteProbe(ipvs);
  if (!isThere) throw new Error('ipvs not supported');
  if (left !== undefined) throw left;
}

/** Adds the probe. Returns the error, or `undefined`. */
function addProbe(ipvs: Pick<Ipvs, 'write'>, scheduler: string): Error | undefined {
  const virtualServer: VirtualServer = {
    ...probeId,
    scheduler,
    flags: 0,
    timeout: 0,
    prefixLength: 32,
    persistenceEngine: '',
  };
  const [failure] = ipvs.write([{ kind: 'addVirtualServer', virtualServer }]);
  // A killed process left one with another scheduler.
  if (!isExists(failure?.error)) return failure?.error;
  return ipvs.write([{ kind: 'updateVirtualServer', virtualServer }])[0]?.error;
}

/** Deletes the probe. Returns the error, or `undefined`. */
function deleteProbe(ipvs: Pick<Ipvs, 'write'>): Error | undefined {
  return ipvs.write([{ kind: 'deleteVirtualServer', virtualServer: probeId }])[0]?.error;
}
