import { isExists, isNotFound } from '../errno/errno.ts';
import { type IpAddress, parseAddress } from '../ip/address.ts';
import type { Ipvs, VirtualServer, VirtualServerStatus } from './ipvs.ts';

/** What the start-up probe needs besides IPVS. */
export interface ProbeOptions {
  readonly scheduler: string;
  /** The highest ipset protocol that the kernel speaks (IPSET_CMD_PROTOCOL); throws where ipset is missing. */
  readonly ipsetProtocol: () => number;
}

const leastIpsetProtocol = 6;

/** 198.51.100.0 is of a network kept for documentation (RFC 5737): nobody's address. */
const probeId = {
  address: parseAddress('198.51.100.0') as IpAddress, // a literal that parses
  protocol: 'TCP',
  port: 20_000,
} as const;

/**
 * Finds out whether Services can work on this node: ipset is there, and IPVS takes a virtual server with the configured scheduler.
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
  const virtualServer: VirtualServer = {
    ...probeId,
    scheduler,
    flags: 0,
    timeout: 0,
    prefixLength: 32,
    persistenceEngine: '',
  };
  const [failure] = ipvs.write([{ kind: 'addVirtualServer', virtualServer }]);
  // One that a killed process left behind, with another scheduler.
  const [again] = isExists(failure?.error)
    ? ipvs.write([{ kind: 'updateVirtualServer', virtualServer }])
    : [failure];
  if (isNotFound(again?.error)) {
    throw new Error(
      `the kernel has no scheduler ${scheduler}: load the module ip_vs_${scheduler}`,
      {
        cause: again?.error,
      },
    );
  }
  if (again !== undefined) throw again.error;
  const isThere = (await ipvs.virtualServers()).some(isProbe);
  const [left] = ipvs.write([{ kind: 'deleteVirtualServer', virtualServer: probeId }]);
  if (!isThere) throw new Error('ipvs not supported');
  if (left !== undefined) throw left.error;
}
